"""Settings come from the environment; a mistake names its variable, and no secret is ever shown."""

from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.settings import Settings, load

KEY = "a-masking-key-that-nobody-may-see-1234"


def test_without_any_variable_everything_has_a_value() -> None:
    found = load({"PATH": "/bin", "HOME": "/root"})
    assert found.home == Path(".atlas")
    assert found.database == f"sqlite:///{Path('.atlas/atlas.db').absolute()}"
    assert found.timezone == "Europe/Copenhagen"


def test_only_the_environment_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_WORKERS", "9")
    assert load({}).workers == 2
    assert load().workers == 9


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("ATLAS_HOEM", "Did you mean `ATLAS_HOME`?"),
        ("ATLAS_MASKINGKEY", "Did you mean `ATLAS_MASKING_KEY`?"),
        ("ATLAS_XQZ", "All settings: atlas settings"),
        ("ATLAS_", "All settings: atlas settings"),
        ("ATLAS_HOME_FILE", "Did you mean `ATLAS_HOME`?"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest(variable: str, hint: str) -> None:
    with pytest.raises(Misconfigured, match=f"`{variable}`") as caught:
        load({variable: KEY})
    assert caught.value.hint == hint
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ATLAS_WORKERS", "many", "valid integer"),
        ("ATLAS_WORKERS", "0", "greater than or equal to 1"),
        ("ATLAS_LEASE_SECONDS", "inf", "finite"),
        ("ATLAS_LEASE_SECONDS", "nan", "finite"),
        ("ATLAS_LOG_LEVEL", "loud", "pattern"),
        ("ATLAS_TIMEZONE", "Mars/Base", "is no time zone"),
        ("ATLAS_TIMEZONE", "Europe", "is no time zone"),
        ("ATLAS_TIMEZONE", "../../etc/passwd", "is no time zone"),
        ("ATLAS_REQUIRE_SERVICES", "perhaps", "valid boolean"),
        ("ATLAS_MASKING_KEY", "hemmelig", "must have 32 characters or more"),
    ],
)
def test_a_malformed_variable_is_named_without_a_trace(variable: str, value: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=f"`{variable}`: .*{said}") as caught:
        load({variable: value})
    assert "hemmelig" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_secret_is_in_what_is_printed() -> None:
    secrets = {
        "ATLAS_DATABASE_URL": f"postgresql://atlas:{KEY}@db/atlas",
        "ATLAS_BROKER_URL": f"redis://:{KEY}@redis/0",
        "ATLAS_TOKEN": KEY,
        "ATLAS_MASKING_KEY": KEY,
    }
    found = load(secrets)
    shown = {variable: value for variable, value, _ in found.shown()}
    assert KEY not in repr(found) + str(found) + found.model_dump_json() + repr(shown)
    assert {shown[variable] for variable in secrets} == {"(hidden)"}
    assert shown["ATLAS_API_URL"] == "not set"
    assert set(shown) == {f"ATLAS_{name.upper()}" for name in Settings.model_fields}
    assert KEY in found.database


def test_a_secret_may_stand_in_a_mounted_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    found = load({"ATLAS_MASKING_KEY_FILE": str(file)})
    assert found.masking_key is not None
    assert found.masking_key.get_secret_value() == KEY


def test_a_mounted_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        with pytest.raises(Misconfigured, match=r"`ATLAS_TOKEN_FILE` names a file that cannot be read"):
            load({"ATLAS_TOKEN_FILE": str(file)})


def test_a_secret_that_is_set_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    with pytest.raises(Misconfigured, match="are both set"):
        load({"ATLAS_TOKEN_FILE": str(tmp_path / "key"), "ATLAS_TOKEN": KEY})


def test_an_env_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    file = tmp_path / "atlas.env"
    file.write_text(
        "# settings\n\nATLAS_WORKERS=7\nATLAS_TIMEZONE = 'UTC'\nATLAS_TOKEN=a=b\n  ATLAS_HOME=/data/ærø\nOTHER=1\n"
    )
    found = load({"ATLAS_ENV_FILE": str(file), "ATLAS_WORKERS": "3"})
    assert (found.workers, found.timezone, found.home) == (3, "UTC", Path("/data/ærø"))
    assert found.token is not None
    assert found.token.get_secret_value() == "a=b"


def test_an_env_file_with_a_mistake_names_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "atlas.env"
    file.write_text("ATLAS_WORKRES=7\n")
    with pytest.raises(Misconfigured, match="`ATLAS_WORKRES`"):
        load({"ATLAS_ENV_FILE": str(file)})
    with pytest.raises(Misconfigured, match=r"`ATLAS_ENV_FILE` names a file that cannot be read"):
        load({"ATLAS_ENV_FILE": str(tmp_path / "none.env")})


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).workers = 3
