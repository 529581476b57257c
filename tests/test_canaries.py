"""Secrets and personal data are sent along every way on which something fails, and looked for wherever Atlas writes.

A value that somebody typed may come back to that person in the answer, as the name of what is not there; nothing else
may come back to anybody, and nothing at all may be kept.
"""

import base64
import http.server
import json
import re
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pypdf import PdfReader

from tests.program import COMMAND, HANGS, Program, end, wait_for
from tests.test_servers import answers, free_port

SECRETS = {
    "masking key": "canary-masking-key-7Qx2-ffffffffffff",
    "secret of a variable": "canary-variable-kT93-zzzz",
    "secret of a file": "canary-file-Pw41-zzzz",
    "wrong token": "atlas_canary-token-Vb58-zzzz",
}
PERSON = {
    "name": "Kirstine Ravnsborg", "email": "k.ravnsborg@canary.example", "cpr": "070761-4285",
    "phone": "+45 31 77 42 19", "iban": "DK5000400440116243", "credit_card": "4539 1488 0343 6467",
    "ip_address": "203.0.113.77", "mac_address": "00:1B:44:11:3A:B7", "passport": "209471835",
    "license_plate": "CN 47 219",
    "address": "Kanarievej 93, 2100 København", "date_of_birth": "1961-07-07", "username": "kravnsborg61",
    "profile_url": "https://www.linkedin.com/in/kirstine-ravnsborg",
}  # fmt: skip
NOT_PERSONAL = "kanariegul-fjer-8841"  # a plain value: it may be published, and stands in no error all the same
FORGED = urllib.parse.quote('x\n{"level": "FORGED"}\r\nlevel=FORGED', safe="")
TYPED = "typed.ravnsborg@canary.example"
FIRST_LINE = "Torben Kanariegaard"  # of a file without a header
BROKEN = "Ulla Broken-Kanarie"  # stands in rows that cannot be read
GUARDED = "Viggo Guarded-Kanarie"  # comes from a server that asks for a secret
BUG = '''"""Fails with the secret in its hand."""

from tests.more_connectors.guarded import Auth
from core.models import SourcePart
from core.pipeline import Strict


class Source(Strict):
    connector: str
    auth: Auth


def parts(source, base):
    raise RuntimeError(f"{source.auth.bearer.for_database()} is wrong for {(base / 'people.csv').read_text()}")


def read(source, part):
    raise AssertionError("nobody comes here: its parts could not be told")
'''


class Guard(http.server.BaseHTTPRequestHandler):
    """Gives a CSV to who has the secret."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == f"Bearer {SECRETS['secret of a variable']}"
        body = f"id,name\n1,{GUARDED}\n".encode() if allowed else b"no"
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class World:
    """A served Atlas to which all of it happened, and everything that anybody could see of it."""

    def __init__(self, folder: Path, source_port: int) -> None:
        more = folder / "more"
        (more / "connectors").mkdir(parents=True)
        (more / "connectors" / "buggy.py").write_text(BUG, encoding="utf-8")
        ours = Path(__file__).parent / "more_connectors"
        (more / "sitecustomize.py").write_text(
            f"import connectors\nconnectors.__path__ += [{str(ours)!r}, {str(more / 'connectors')!r}]\n",
            encoding="utf-8",
        )
        (folder / "secrets").mkdir()
        (folder / "secrets" / "FROM_FILE").write_text(SECRETS["secret of a file"], encoding="utf-8")
        (folder / "secrets" / "FROM_FILE.hosts").write_text(f"127.0.0.1:{source_port}\n", encoding="utf-8")
        self.program = Program(
            folder, ATLAS_LOG_LEVEL="DEBUG", ATLAS_MASKING_KEY=SECRETS["masking key"],
            ATLAS_SECRET_CRM_TOKEN=SECRETS["secret of a variable"],
            ATLAS_SECRET_CRM_TOKEN_HOSTS=f"127.0.0.1:{source_port}", ATLAS_SECRETS=str(folder / "secrets"),
        )  # fmt: skip
        self.program.environment["PYTHONPATH"] = f"{more}:{self.program.environment['PYTHONPATH']}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.seen: dict[str, str] = {}  # what was answered and printed, by where
        self.statuses: set[int] = set()
        self.tokens: list[str] = []
        _write_pipelines(self.program, f"http://127.0.0.1:{source_port}/")

    def command(self, *words: str, **settings: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [*COMMAND, *words], env={**self.program.environment, **settings}, cwd=self.program.folder,
            capture_output=True, text=True, timeout=HANGS, check=False,
        )  # fmt: skip
        self.seen[f"atlas {' '.join(words)} {sorted(settings)}"] = done.stdout + done.stderr
        return done.stdout

    def call(
        self, method: str, path: str, *, token: str | None = None, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {token or self.tokens[0]}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, given = answer.status, answer.read()
                head = str(answer.headers)
        except urllib.error.HTTPError as error:
            status, given, head = error.code, error.read(), str(error.headers)
        self.statuses.add(status)
        self.seen[f"{method} {path} {len(self.seen)}"] = head + _text(given)
        return status, given

    def run(self, name: str) -> dict[str, Any]:
        """A run to its end."""
        status, given = self.call("POST", "/api/v1/runs", body={"pipeline": name})
        assert status == 202, given
        number = json.loads(given)["run"]
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(json.loads(self.call("GET", f"/api/v1/runs/{number}")[1]))
            return found["state"] not in ("queued", "running")

        assert wait_for(ended), found
        return found

    @cached_property
    def sinks(self) -> list[tuple[str, str]]:
        """Everything that is written or was told, but the raw zone."""
        paths = [self.program.folder / "serve.log", *self.program.home.rglob("*")]
        kept = [path for path in paths if path.is_file() and "explore" not in path.parts]
        return [*self.seen.items(), *((str(path), f"{path}\n{_content(path)}") for path in kept)]

    def places(self, value: str) -> list[str]:
        """Where a value stands."""
        forms = _forms(value)
        return [place for place, text in self.sinks if any(form in text for form in forms)]


def _content(path: Path) -> str:
    if path.suffix == ".parquet":
        try:
            table = pq.read_table(path)
        except pa.ArrowInvalid:  # its writer was killed
            return _text(path.read_bytes())
        values = [column.unique().to_pylist() for column in table.columns]
        return json.dumps([table.column_names, values], default=str, ensure_ascii=False)
    return _text(path.read_bytes())


def _text(given: bytes) -> str:
    if given.startswith(b"%PDF"):
        import io

        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(given)).pages)
    return given.decode("utf-8", "ignore") + given.decode("utf-16-le", "ignore")


def _forms(value: str) -> set[str]:
    """How a value may be written down."""
    return {
        value, json.dumps(value)[1:-1], urllib.parse.quote(value), urllib.parse.quote_plus(value), repr(value)[1:-1],
        base64.b64encode(value.encode()).decode().rstrip("="), value.encode().hex(),
    }  # fmt: skip


def _write_pipelines(program: Program, url: str) -> None:
    """One pipeline for each way to fail."""
    people = ",".join(["id", *PERSON, "remark", "colour"])

    def row(n: int) -> str:
        return ",".join([str(n), *(f'"{value}"' for value in PERSON.values()), f'"Ring til {PERSON["name"]} på '
                         f'{PERSON["phone"]} eller skriv til {PERSON["email"]}"', NOT_PERSONAL])  # fmt: skip

    good = "\n".join([people, *map(row, range(40))]) + "\n"
    rules = (
        "key: [id]\nsubject: {customer: id}\nprivacy: {columns: {colour: keep}}\n"
        "quality:\n"
        "  validity: [{column: email, format: email}, {column: colour, values: [red]},\n"
        "    {column: cpr, regex: '[a-z]+'}, {column: name, min: 3}]\n"
        "  uniqueness: [cpr, email]\n"
        "  accuracy: [{expression: \"CAST(email AS INTEGER) > 0\"}, {column: name, matches: broken.name}]\n"
        "  consistency: [{expression: \"CAST(colour AS DATE) > current_date\"}]\n"
        "  timeliness: {column: colour, max_age_hours: 2}\n"
    )  # fmt: skip
    program.pipeline("people", good, rules, "-- c\nselect CAST(colour AS INTEGER) as n from people")
    program.pipeline("refused", good, rules.replace("quality:\n", "quality:\n  minimum_score: 99\n"))
    program.pipeline(
        "rejecting", good, rules.replace("quality:\n", "quality:\n  reject_rows: [validity, uniqueness]\n")
    )
    tokens = "key: [id]\nprivacy: {columns: {email: tokenize, colour: keep}}\n"
    program.pipeline("tokenized", good, tokens, "-- t\nselect distinct email from tokenized")
    broken = f'id,name\n1,{BROKEN}\n2,{BROKEN},{BROKEN}\n3,"{BROKEN}\n4,\0{BROKEN}\n'
    program.pipeline("broken", broken)
    program.pipeline("unclosed", f'id,name\n1,"{BROKEN}\n' + f"2,{BROKEN}\n" * 20)
    program.pipeline("headless", "".join(f"{FIRST_LINE},{PERSON['email']},{n}\n" for n in range(20)))
    program.pipeline("latin", good)
    (program.pipelines / "latin.csv").write_bytes(good.encode("latin-1") + b"\xff\xfe" + BROKEN.encode() + b"\n")
    program.pipeline("binary", "")
    (program.pipelines / "binary.csv").write_bytes(bytes(range(256)) + BROKEN.encode())
    program.pipeline("twice", f"name,name\n{BROKEN},{BROKEN}\n{BROKEN},{BROKEN},{BROKEN}\n")
    program.pipeline("twice_headless", "".join(f"{FIRST_LINE},{FIRST_LINE},{n}\n" for n in range(20)))
    program.pipeline("empty", "")
    program.pipeline("gone", "id\n1\n")
    (program.pipelines / "gone.csv").unlink()
    program.pipeline("changing", good)
    program.pipeline("killed", good + "".join(row(n) + "\n" for n in range(100, 10_000)), "key: [id]\n")
    models = {
        "reads_personal": "select CAST(name AS INTEGER) as n from people",
        "error_of_its_own": "select error(colour) as n from people",
        "constant": f"select * from people where colour = '{NOT_PERSONAL}' and cast(colour as date) is null",
        "not_sql": f"selekt '{BROKEN}' from people",
    }
    for name, sql in models.items():
        (program.pipelines / "navigate" / f"{name}.sql").write_text(sql, encoding="utf-8")
    for name, source in {
        "guarded": f'{{connector: guarded, url: "{url}", auth: {{bearer: "${{secret:CRM_TOKEN}}"}}}}',
        "refused_there": f'{{connector: guarded, url: "{url}", auth: {{bearer: "${{secret:FROM_FILE}}"}}}}',
        "missing_secret": f'{{connector: guarded, url: "{url}", auth: {{bearer: "${{secret:NOT_THERE}}"}}}}',
        "buggy": '{connector: buggy, auth: {bearer: "${secret:CRM_TOKEN}"}}',
        "in_the_file": f'{{connector: guarded, url: "{url}", auth: {{bearer: "{SECRETS["secret of a file"]}"}}}}',
        "half": f'{{connector: guarded, url: "{url}", auth: {{bearer: "${{secret:A}}{SECRETS["secret of a file"]}"}}}}',
    }.items():
        text = f"name: {name}\nowner: web-team\nsource: {source}\n"
        (program.pipelines / f"{name}.yml").write_text(text, encoding="utf-8")


RUN = ["people", "refused", "rejecting", "broken", "unclosed", "headless", "latin", "binary", "twice",
       "twice_headless", "empty", "gone", "guarded", "refused_there", "missing_secret", "buggy", "changing",
       "tokenized"]  # fmt: skip
SAY = ["run {}", "status {}", "quality {}", "why {}", "pii {}", "dead {}", "replay {}", "lineage {}", "impact {}",
       "show {}", "gdpr report {}", "gdpr access email={}", "cancel {}", "retry {}", "{}", "help {}",
       "columns {}", "pii {}.colour is not pii because it is a colour"]  # fmt: skip
SHOWS = ["show {}", "columns {}"]  # these tell plain values to who may read rows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    made = World(tmp_path_factory.mktemp("canaries"), source.server_address[1])
    made.command("settings")
    made.command("check")
    made.command("settings", ATLAS_LEASE_SECONDS=SECRETS["wrong token"], ATLAS_TOKEN=SECRETS["wrong token"])
    made.command("settings", ATLAS_MASKING_KEY=SECRETS["wrong token"][:20])
    made.command("user", "add", "anna", "--role", "admin")
    made.tokens.append(made.command("token", "anna").strip())
    del made.seen[next(where for where in made.seen if where.startswith("atlas token"))]  # shown once, to who asked
    _killed(made)
    log = (made.program.folder / "serve.log").open("w", encoding="utf-8")
    server = subprocess.Popen([*COMMAND, "serve", "--port", str(made.port)], env=made.program.environment,
                              cwd=made.program.folder, stdout=log, stderr=log)  # fmt: skip
    try:
        assert wait_for(lambda: answers(f"{made.url}/readyz"))
        _attack(made)
    finally:
        end(server)  # type: ignore[arg-type]
        log.close()
        source.shutdown()
    return made


def _killed(world: World) -> None:
    """A run whose process dies in the middle of a step."""
    process = world.program.start("say", "run killed")
    assert wait_for(lambda: any((world.program.home / "lake" / "explore").rglob("*.parquet")))
    process.kill()
    out, err = process.communicate(timeout=HANGS)
    world.seen["a killed process"] = out + err


def _attack(world: World) -> None:
    ended = {name: world.run(name) for name in RUN}
    world.program.pipeline("changing", "id,other\n1,2\n")
    ended["changed"] = world.run("changing")
    assert {run["state"] for run in ended.values()} >= {"succeeded", "refused", "failed"}, ended
    assert ended["guarded"]["rows_in"] == 1
    assert "`NOT_THERE`" in ended["missing_secret"]["error"]["message"]
    assert "403" in ended["refused_there"]["error"]["message"]
    assert "bug" in str(ended["buggy"]["error"]).lower()
    for name in ("in_the_file", "half"):
        assert world.call("POST", "/api/v1/runs", body={"pipeline": name})[0] == 422
    _revealed(world)
    _every_route(world)
    client = Program(world.program.folder / "client", ATLAS_API_URL=world.url, ATLAS_TOKEN=world.tokens[0],
                     ATLAS_LOG_LEVEL="DEBUG")  # fmt: skip
    said = [sentence.format(f'"{TYPED}"') for sentence in SAY]
    said += [sentence.format("people") for sentence in SAY if sentence not in ("{}", *SHOWS)]
    done = client.run("chat", text="\n".join(said) + "\n")
    world.seen["chat"] = done.stdout + done.stderr
    said = [sentence.format(name) for name in [*RUN, "people_model", "tokenized_model"] for sentence in SHOWS]
    said += ["describe people", "schema people"]
    done = client.run("chat", text="\n".join(said) + "\n")
    world.seen["chat of rows"] = done.stdout + done.stderr
    wrong = Program(world.program.folder / "wrong", ATLAS_API_URL=world.url, ATLAS_TOKEN=SECRETS["wrong token"])
    done = wrong.run("say", "runs")
    assert done.returncode == 1
    world.seen["chat with a wrong token"] = done.stdout + done.stderr


def _revealed(world: World) -> None:
    """What a token stands for is told to who may know it; nobody else is to see that answer."""
    shown = _text(world.call("GET", "/api/v1/models/tokenized_model/rows")[1])
    token = re.search(r"t_[a-z2-7]{26}", shown)
    assert token, shown
    world.call("POST", "/api/v1/reveal", body={"token": token[0], "because": "the customer called"})
    told = world.seen.pop(next(where for where in world.seen if where.startswith("POST /api/v1/reveal")))
    assert PERSON["email"] in told


def _every_route(world: World) -> None:
    """Each with good names, and with canaries in its path, query, headers and body; and with a wrong token."""
    document = json.loads(world.call("GET", "/openapi.json")[1])
    wrong = SECRETS["wrong token"]
    typed = urllib.parse.quote(TYPED, safe="")
    for path, methods in document["paths"].items():
        for method in methods:
            if path.endswith("/cancel"):
                continue
            verb = method.upper()
            query = urllib.parse.urlencode(
                {p["name"]: TYPED for p in methods[method].get("parameters", []) if p["in"] == "query"}
            )
            for name, number in (("people", "1"), (typed, typed)):
                filled = re.sub(r"\{[^}]*\}", name, re.sub(r"\{number\}", number, path))
                world.call(verb, f"{filled}?{query}&token={wrong}", Cookie=wrong, X_Forwarded_For=PERSON["ip_address"])
                world.call(
                    verb, filled, Idempotency_Key=wrong, X_Request_ID=PERSON["email"], Accept=wrong, Referer=wrong
                )
            world.call(verb, filled, token=wrong)
            world.call(verb, filled, Host=f"{wrong}.example", Origin=f"https://{wrong}.example")
            world.call(verb, f"{path.partition('{')[0]}{FORGED}")
            if verb in ("POST", "PUT", "PATCH"):
                world.call(verb, filled, body={"pipeline": TYPED, "password": wrong, "name": [wrong], "user": TYPED})
                world.call(verb, filled, body=wrong.encode())
                world.call(verb, filled, body=b"\xff" + wrong.encode())
    world.call("POST", "/api/v1/runs", body={"pipeline": urllib.parse.unquote(FORGED)})


def test_all_of_it_happened(world: World) -> None:
    assert world.statuses >= {200, 202, 401, 403, 404, 422}
    log = (world.program.folder / "serve.log").read_text(encoding="utf-8")
    assert "bug" in log
    raw = "".join(_content(path) for path in (world.program.home / "lake" / "explore").rglob("*.parquet"))
    assert all(value in raw for value in [*PERSON.values(), FIRST_LINE, BROKEN, GUARDED, NOT_PERSONAL])


@pytest.mark.parametrize("kind", [*SECRETS, "token that holds"])
def test_no_secret_is_shown_or_kept(world: World, kind: str) -> None:
    assert world.places({**SECRETS, "token that holds": world.tokens[0]}[kind]) == []


@pytest.mark.parametrize("kind", [*PERSON, "first line", "broken row", "guarded"])
def test_no_personal_value_is_shown_or_kept(world: World, kind: str) -> None:
    assert world.places({**PERSON, "first line": FIRST_LINE, "broken row": BROKEN, "guarded": GUARDED}[kind]) == []


def test_a_plain_value_stands_in_the_tables_alone(world: World) -> None:
    found = world.places(NOT_PERSONAL)
    assert found
    allowed = r"/lake/chart/|/warehouse/|/models/[a-z_]+/rows|/people/columns|^chat of rows$"
    assert [place for place in found if not re.search(allowed, place)] == []


def test_rows_and_columns_were_shown(world: World) -> None:
    shown = world.seen["chat of rows"]
    assert "people has 17 columns and 40 rows" in shown
    assert "twice_headless has 3 columns and 20 rows" in shown
    assert NOT_PERSONAL in shown


def test_what_was_typed_comes_back_to_who_typed_it_and_is_not_kept(world: World) -> None:
    assert [place for place in world.places(TYPED) if place not in world.seen] == []


def test_no_line_of_the_log_is_forged(world: World) -> None:
    first, *lines = (world.program.folder / "serve.log").read_text(encoding="utf-8").splitlines()
    assert first.startswith("Atlas listens")
    assert lines
    assert [line for line in lines if json.loads(line)["level"] == "FORGED"] == []


WRONG_SERVERS = [
    {"ATLAS_DATABASE_URL": "postgresql://postgres:{}@127.0.0.1:1/atlas"},  # nobody listens there
    {"ATLAS_DATABASE_URL": "postgresql://nobody_here:{}@127.0.0.1/nothing_there"},
    {"ATLAS_DATABASE_URL": "postgresql://postgres:{}@[half/atlas"},
    {"ATLAS_DATABASE_URL": "nosuchdialect://postgres:{}@127.0.0.1/atlas"},
    {"ATLAS_DATABASE_URL": "{}"},
    {"ATLAS_BROKER_URL": "redis://:{}@127.0.0.1:1/0"},
    {"ATLAS_BROKER_URL": "nosuchbroker://:{}@127.0.0.1/0"},
    {"ATLAS_API_URL": "http://127.0.0.1:1", "ATLAS_TOKEN": "{}"},
    {"ATLAS_API_URL": "http://anna:{}@127.0.0.1:1"},
]


@pytest.mark.parametrize("settings", WRONG_SERVERS, ids=lambda one: next(iter(one.values())).partition(":")[0])
def test_a_server_that_is_not_there_costs_no_password(tmp_path: Path, settings: dict[str, str]) -> None:
    password = "canary-password-Zr17-zzzz"
    program = Program(tmp_path, ATLAS_LOG_LEVEL="DEBUG", **{k: v.format(password) for k, v in settings.items()})
    program.pipeline("orders", "id\n1\n")
    done = program.run("say", "run orders")
    told = done.stdout + done.stderr
    assert told
    kept = "".join(_text(path.read_bytes()) for path in program.home.rglob("*") if path.is_file())
    assert [form for form in _forms(password) if form in told + kept] == []
