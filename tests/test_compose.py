"""docker-compose.yml and deploy/Dockerfile, as far as they can be held to without an engine that runs containers."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_spec import PyCompose
from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML
from typer.testing import CliRunner

from atlas.cli import app
from core.settings import Settings, load
from tests.mocks import slack as mock
from tests.program import ROOT, Program, end, wait_for
from tests.test_servers import answers, free_port

OURS = ("migrations", "api", "worker", "beat", "bot")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with its anchors merged."""
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_the_file_holds_to_the_compose_specification(compose: dict[str, Any]) -> None:
    defaults = re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", json.dumps(compose))
    read = PyCompose.from_json(defaults)
    read.validate()
    assert set(read.service_names()) == {*OURS, "postgres", "redis", "marquez"}
    with pytest.raises(ValueError, match="restrat"):
        PyCompose.from_json(json.dumps({"services": {"api": {"image": "atlas", "restrat": "always"}}}))


def test_every_service_is_shut(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys(), name


def test_only_the_api_and_the_bot_have_a_port_and_only_on_this_machine(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {
        "api": ["127.0.0.1:${ATLAS_API_PORT:-8080}:8080"], "bot": ["127.0.0.1:${ATLAS_BOT_PORT:-8081}:8081"]
    }  # fmt: skip


def test_the_port_of_the_bot_is_the_one_it_listens_on(services: dict[str, Any]) -> None:
    """It listened on the loopback of its container, where no proxy reaches it."""
    host, _, port = services["bot"]["environment"]["ATLAS_BOT_LISTEN"].rpartition(":")
    assert host == "0.0.0.0"
    assert services["bot"]["ports"][0].endswith(f":{port}")


def test_slack_reaches_the_bot_and_the_bot_reaches_the_api(tmp_path: Path, services: dict[str, Any]) -> None:
    """The processes with the settings of the file, but for ports and names; no container engine is needed."""
    hosts = services["api"]["environment"]["ATLAS_HOSTS"].replace("${ATLAS_HOSTS:-}", "atlas.example.dk")
    api, bot = free_port(), free_port()
    listen = services["bot"]["environment"]["ATLAS_BOT_LISTEN"].replace("8081", str(bot))
    command = [word.replace("8080", str(api)) for word in services["api"]["command"]]
    with mock.running() as slack:
        server = Program(tmp_path / "server", ATLAS_HOSTS=hosts)
        server.run("user", "add", "anna", "--role", "admin")
        token = server.run("token", "anna", "--name", "bot", "--scope", "speak-for").stdout.split()[-1]
        chat = Program(
            tmp_path / "bot", ATLAS_API_URL=f"http://127.0.0.1:{api}", ATLAS_TOKEN=token, ATLAS_BOT_LISTEN=listen,
            ATLAS_SLACK_BOT_TOKEN=mock.TOKEN, ATLAS_SLACK_SIGNING_SECRET=mock.SECRET, ATLAS_SLACK_API_URL=slack.url,
        )  # fmt: skip
        processes = [server.start(*command)]
        try:
            assert wait_for(lambda: answers(f"http://127.0.0.1:{api}/healthz"))
            named = {
                name: _called_by(api, name) for name in ("api:8080", "localhost", "atlas.example.dk", "evil.example")
            }
            assert named == {"api:8080": 200, "localhost": 200, "atlas.example.dk": 200, "evil.example": 403}
            processes.append(chat.start(*services["bot"]["command"]))
            outside = f"http://127.0.0.2:{bot}"  # what listens on 127.0.0.1 alone is not there
            assert wait_for(lambda: answers(f"{outside}/readyz"))
            assert mock.send(f"{outside}/slack/events", slack.command("help")).status_code == 200
            assert wait_for(lambda: any("Nobody here knows you" in m.text for m in slack.messages))
        finally:
            assert [end(process) for process in reversed(processes)] == [0] * len(processes)


def _called_by(port: int, name: str) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": name}, timeout=20).status_code


def test_servers_cannot_be_reached_from_outside(compose: dict[str, Any], services: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    assert all(services[name]["networks"] == ["inside"] for name in ("postgres", "redis", "marquez", "migrations"))


def test_every_image_has_its_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", service["image"]), name


def test_no_password_stands_in_the_files(compose: dict[str, Any]) -> None:
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./deploy/secrets/")
    for name in ("docker-compose.yml", "deploy/Dockerfile", "deploy/postgres/init.sh"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"(?i)(password|masking_key|token)\s*[:=](?!')\s*['\"]?[a-z0-9]", text), name


def test_every_process_waits_for_the_migrations(services: dict[str, Any]) -> None:
    for name in ("api", "worker", "beat"):
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits == {"migrations": "service_completed_successfully", "redis": "service_healthy"}
    assert services["migrations"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["migrations"]["restart"] == "no"


def test_every_command_is_one_of_atlas(services: dict[str, Any]) -> None:
    for name in OURS:
        asked = CliRunner().invoke(app, [*services[name]["command"], "--help"])
        assert asked.exit_code == 0, name


def test_every_setting_is_one_and_has_a_file_that_the_service_sees(services: dict[str, Any]) -> None:
    known = {f"ATLAS_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        for variable, value in services[name]["environment"].items():
            assert variable.removesuffix("_FILE") in known, variable
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in services[name]["secrets"], (name, variable)


def test_each_worker_is_pinned(services: dict[str, Any]) -> None:
    settings = services["worker"]["environment"]
    assert (settings["ATLAS_WORKERS"], settings["ATLAS_THREADS"]) == ("1", "1")
    assert "container_name" not in services["worker"]  # else there could be but one


def test_secrets_are_made_once_and_for_their_owner(tmp_path: Path, compose: dict[str, Any]) -> None:
    shutil.copy(ROOT / "deploy" / "make-secrets.sh", tmp_path)
    (tmp_path / "secrets").mkdir()
    first = _made(tmp_path)
    assert set(first) == {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert _made(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert len({first[name] for name in first if name.endswith("_password")} | {first["masking_key"]}) == 5
    settings = {
        f"ATLAS_{name.upper()}_FILE": str(tmp_path / "secrets" / name)
        for name in ("database_url", "broker_url", "warehouse_url", "masking_key")
    }
    assert load({"ATLAS_HOME": str(tmp_path), **settings}).database.endswith("@postgres:5432/atlas")
    assert first["atlas_password"] in first["warehouse_url"]
    assert YAML(typ="safe").load(first["marquez.yml"])["db"]["password"] == first["marquez_password"]


def _made(folder: Path) -> dict[str, str]:
    subprocess.run([folder / "make-secrets.sh"], check=True, capture_output=True)
    return {path.name: path.read_text(encoding="utf-8") for path in (folder / "secrets").iterdir()}


@pytest.mark.services
def test_postgresql_is_set_up_so_that_everybody_has_their_own(services: dict[str, Any]) -> None:
    """Names only: the script itself runs in the container of PostgreSQL."""
    script = (ROOT / "deploy" / "postgres" / "init.sh").read_text(encoding="utf-8")
    used = set(re.findall(r"/run/secrets/(\w+)", script))
    assert used <= set(services["postgres"]["secrets"])
    assert subprocess.run(["sh", "-n", ROOT / "deploy" / "postgres" / "init.sh"], check=False).returncode == 0


@pytest.fixture(scope="module")
def dockerfile() -> list[dict[str, Any]]:
    parser = DockerfileParser(str(ROOT / "deploy" / "Dockerfile"), cache_content=True)
    found: list[dict[str, Any]] = [step for step in parser.structure if step["instruction"] != "COMMENT"]
    return found


def _values(dockerfile: list[dict[str, Any]], instruction: str) -> list[str]:
    return [step["value"] for step in dockerfile if step["instruction"] == instruction]


def test_the_image_runs_as_nobody_in_particular(dockerfile: list[dict[str, Any]]) -> None:
    order = [step["instruction"] for step in dockerfile]
    assert _values(dockerfile, "USER") == ["10001:10001"]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert order.count("FROM") == 2


def test_the_image_installs_what_is_locked_and_nothing_else(dockerfile: list[dict[str, Any]]) -> None:
    installs = [line for value in _values(dockerfile, "RUN") for line in re.split(r"&&|;", value) if " install" in line]
    by_pip = [line for line in installs if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in by_pip)
    assert len(by_pip) == 3
    assert not re.search(r"https?://", (ROOT / "deploy" / "Dockerfile").read_text().replace("http://127.0.0.1", ""))


def test_the_lock_of_the_image_is_part_of_the_lock() -> None:
    whole, part = (_pins(ROOT / name) for name in ("requirements.lock", "deploy/requirements.lock"))
    assert part.items() <= whole.items()
    assert not {"pytest", "mypy", "ruff", "compose-spec"} & part.keys()
    assert {"psycopg", "redis", "soda-core"} <= part.keys()


def _pins(path: Path) -> dict[str, str]:
    """Everything that is said of a package, by its name and marker."""
    blocks = re.split(r"\n(?=[a-z])", path.read_text(encoding="utf-8").strip())
    return {re.split(r"[=\s\[]", block)[0]: block.partition(" ;")[0].partition(" \\")[0] for block in blocks}


def test_what_the_image_copies_is_there_and_not_ignored(dockerfile: list[dict[str, Any]]) -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for value in _values(dockerfile, "COPY"):
        if value.startswith("--from"):
            continue
        for source in value.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.rstrip("/") in kept, source
    assert not any((ROOT / name).name == ".venv" or "secrets" in name for name in kept)
