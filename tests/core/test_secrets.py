"""A pipeline file refers to a secret and never holds it; the secret shows itself to nobody but who asks for it."""

import copy
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import connectors
from core import parts, pipeline_file, secrets
from core.errors import Misconfigured
from core.pipeline import MistakeAt, Strict
from core.secrets import Secret
from core.settings import Settings, load
from engine.check import check

VALUE = "canary-hunter2-that-nobody-may-see"
RECEIVED = {"ATLAS_SECRET_CRM_TOKEN_HOSTS": "crm.example"}
SOURCE = 'source: {connector: guarded, url: "http://127.0.0.1/", auth: {bearer: "${secret:CRM_TOKEN}"}}\n'


class Auth(Strict):
    bearer: Secret


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A connector whose source has secrets is installed, as any other: by its file in a folder of connectors."""
    folder = Path(__file__).parent.parent / "more_connectors"
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(folder)])
    parts.names.cache_clear()
    yield
    parts.names.cache_clear()


@pytest.fixture
def written(tmp_path: Path, guarded: None) -> Path:
    path = tmp_path / "customers.yml"
    path.write_text(f"name: customers\nowner: crm-team\n{SOURCE}", encoding="utf-8")
    return path


def secret() -> Secret:
    return Secret("CRM_TOKEN", load({"ATLAS_SECRET_CRM_TOKEN": VALUE, **RECEIVED}).secret("CRM_TOKEN"))


def value_of(found: Settings, name: str) -> str:
    return found.secret(name).value.get_secret_value()


def test_a_secret_comes_from_a_variable() -> None:
    assert secret().for_host("https", "crm.example", 443) == VALUE


def test_a_secret_comes_from_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "CRM_TOKEN").write_text(f"{VALUE}\n", encoding="utf-8")
    found = load({"ATLAS_SECRETS": str(tmp_path)})
    assert value_of(found, "CRM_TOKEN") == VALUE
    with pytest.raises(Misconfigured, match="There is no secret `CRM_DSN`") as caught:
        found.secret("CRM_DSN")
    assert caught.value.hint == f"Set ATLAS_SECRET_CRM_DSN, or write it to the file CRM_DSN in {tmp_path}."


def test_an_env_file_may_hold_secrets(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"ATLAS_SECRET_CRM_TOKEN={VALUE}\n", encoding="utf-8")
    assert value_of(load({"ATLAS_ENV_FILE": str(tmp_path / "env")}), "CRM_TOKEN") == VALUE


@pytest.mark.parametrize("name", ["MASKING_KEY", "ATLAS_MASKING_KEY", "TOKEN", "PATH", "HOME"])
def test_no_other_variable_can_be_named(name: str) -> None:
    found = load({"ATLAS_MASKING_KEY": VALUE, "ATLAS_TOKEN": VALUE, "PATH": VALUE, "HOME": VALUE})
    with pytest.raises(Misconfigured, match="There is no secret"):
        found.secret(name)


@pytest.mark.parametrize(
    "name", ["../key", "/etc/passwd", "a", "A/../B", ".", "..", "", "A\n", "A\0", "ÆØÅ", "A" * 200, "_A", "1A", "A-B"]
)
def test_no_other_file_can_be_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (tmp_path / "key").write_text(VALUE, encoding="utf-8")
    (folder / "a").write_text(VALUE, encoding="utf-8")
    with pytest.raises(Misconfigured, match="There is no secret"):
        load({"ATLAS_SECRETS": str(folder)}).secret(name)
    with pytest.raises(MistakeAt, match="holds no whole reference to a secret"):
        secrets.named({"auth": {"bearer": f"${{secret:{name}}}"}})


@pytest.mark.parametrize("variable", ["ATLAS_SECRET_", "ATLAS_SECRET_crm", "ATLAS_SECRET_1", "ATLAS_SECRET_A-B"])
def test_a_variable_that_can_be_no_secret_is_named(variable: str) -> None:
    with pytest.raises(Misconfigured, match=variable) as caught:
        load({variable: VALUE})
    assert VALUE not in f"{caught.value} {caught.value.hint}"


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    (tmp_path / "B").write_text("\n", encoding="utf-8")
    found = load({"ATLAS_SECRET_A": "", "ATLAS_SECRETS": str(tmp_path)})
    for name in "AB":
        with pytest.raises(Misconfigured, match=f"There is no secret `{name}`"):
            found.secret(name)


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "B").write_bytes(b"\xff" + VALUE.encode())
    for name, kind in [("A", "IsADirectoryError"), ("B", "UnicodeDecodeError")]:
        with pytest.raises(Misconfigured, match=f"`{name}` cannot be read: {kind}") as caught:
            load({"ATLAS_SECRETS": str(tmp_path)}).secret(name)
        assert caught.value.__cause__ is None


def test_a_secret_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    one = secret()
    auth = Auth(bearer=one)
    with pytest.raises(TypeError) as not_json:
        json.dumps({"bearer": one})
    logging.getLogger("atlas").error("%s %r", one, auth)
    try:
        raise ValueError(one, auth)
    except ValueError as error:
        raised = f"{error} {error!r}"
    shown = [
        repr(one), str(one), f"{one}", f"{one!s:>40}", repr([one]), repr(auth), str(auth), str(not_json.value), raised,
        caplog.text, auth.model_dump_json(), str(auth.model_dump()), str(auth.model_dump(mode="json")),
        TypeAdapter(dict[str, Secret]).dump_json({"a": one}).decode(), str(one.__reduce__()),
        pickle.dumps(one).decode("latin-1"), pickle.dumps(auth).decode("latin-1"), repr(copy.deepcopy(auth)),
    ]  # fmt: skip
    assert [text for text in shown if VALUE in text] == []
    assert all("${secret:CRM_TOKEN}" in text for text in (*shown[:3], auth.model_dump_json()))


def test_a_secret_that_left_its_process_is_told() -> None:
    with pytest.raises(Misconfigured, match="`CRM_TOKEN` was not looked up"):
        pickle.loads(pickle.dumps(secret())).for_database()


def test_settings_hide_the_secrets_and_list_their_names(tmp_path: Path) -> None:
    found = load({"ATLAS_SECRET_CRM_TOKEN": VALUE, "ATLAS_HOME": str(tmp_path)})
    assert ("ATLAS_SECRET_CRM_TOKEN", "(hidden)") in [row[:2] for row in found.shown()]
    shown = [
        repr(found),
        str(found),
        found.model_dump_json(),
        str(found.model_dump()),
        str(found.shown()),
        str(vars(found)),
    ]
    shown += [str(found.__pydantic_private__), repr(found.secret("CRM_TOKEN"))]
    assert [text for text in shown if VALUE in text] == []


def test_the_pipeline_keeps_the_reference(written: Path) -> None:
    found = pipeline_file.read(written)
    assert found.source["auth"] == {"bearer": "${secret:CRM_TOKEN}"}
    assert '"bearer":"${secret:CRM_TOKEN}"' in found.model_dump_json()


def test_a_secret_in_the_file_itself_is_a_mistake_that_does_not_repeat_it(written: Path) -> None:
    written.write_text(written.read_text().replace("${secret:CRM_TOKEN}", VALUE), encoding="utf-8")
    found, mistakes = pipeline_file.check(written)
    assert found is None
    assert [str(mistake) for mistake in mistakes] == [
        "customers.yml:3: `source.auth.bearer`: must not stand in the file itself; write "
        '"${secret:NAME}", the name of A-Z, 0-9 and _, a letter first'
    ]


@pytest.mark.parametrize(
    "text", ["Bearer ${secret:CRM_TOKEN}", "${secret:crm}", "${secret:}", "${secret}", "${secret:A"]
)
def test_half_a_reference_is_a_mistake_with_its_line(written: Path, text: str) -> None:
    written.write_text(written.read_text().replace("${secret:CRM_TOKEN}", text), encoding="utf-8")
    (mistake,) = pipeline_file.check(written)[1]
    assert (mistake.line, mistake.message[:58]) == (3, "`source.auth.bearer`: holds no whole reference to a secret")


def test_a_reference_where_no_secret_belongs_is_a_mistake(written: Path) -> None:
    written.write_text(written.read_text().replace("http://127.0.0.1/", "${secret:CRM_TOKEN}"), encoding="utf-8")
    (mistake,) = pipeline_file.check(written)[1]
    assert (mistake.line, "`source.url`" in mistake.message, "string" in mistake.message) == (3, True, True)


def test_a_reference_outside_the_source_is_plain_text(written: Path) -> None:
    written.write_text(written.read_text() + 'description: "${secret:MASKING_KEY}"\n', encoding="utf-8")
    assert pipeline_file.read(written).description == "${secret:MASKING_KEY}"


def test_check_names_a_missing_secret_by_file_and_line(written: Path) -> None:
    text = written.read_text().replace("}}\n", '}, passwords: ["${secret:A}",\n  "${secret:B}"]}\n')
    written.write_text(text, encoding="utf-8")
    settings = load({"ATLAS_SECRET_A": VALUE})
    assert [str(mistake) for mistake in check(written.parent, "customers", settings.secret)[1]] == [
        "customers.yml:3: `source.auth.bearer`: there is no secret `CRM_TOKEN`; set ATLAS_SECRET_CRM_TOKEN",
        "customers.yml:4: `source.passwords.2`: there is no secret `B`; set ATLAS_SECRET_B",
    ]
