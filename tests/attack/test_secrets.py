"""A secret reaches only the hosts that an administrator listed for it, and only in the use it is for."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import postgres, rest
from core.errors import AtlasError, Misconfigured, Refused
from core.pipeline import MistakeAt
from core.secrets import named
from core.settings import Settings, load
from engine.check import check
from tests.attack.attempts import Attempts, Guard
from tests.mocks.source import Server

TOKEN = "canary-token-Qp71"
DSN = "postgresql://crm:canary-pass-Qp71@db.example:5432/crm"
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "bearer": lambda reference: {"bearer": reference},
    "basic": lambda reference: {"basic": {"user": "u", "password": reference}},
    "header": lambda reference: {"header": {"name": "X-Api-Key", "value": reference}},
}
OTHER_HOSTS = {  # none of them is https://crm.example, the host that is listed
    "another host": "https://evil.example/", "a host below it": "https://a.crm.example/",
    "a host that begins with it": "https://crm.example.evil.example/", "its parent": "https://example/",
    "a host that ends with it": "https://evilcrm.example/", "upper case": "https://EVIL.EXAMPLE/",
    "user before @": "https://crm.example@evil.example/", "user and password": "https://crm.example:443@evil.example/",
    "@ in the query": "https://evil.example/?@crm.example", "@ in the path": "https://evil.example/@crm.example",
    "@ in the fragment": "https://evil.example#@crm.example", "backslash": "https://evil.example\\@crm.example/",
    "a dot at the end": "https://crm.example./", "a percent-encoded dot": "https://crm%2eexample/",
    "a NUL": "https://crm.example%00.evil.example/", "a Cyrillic letter": "https://сrm.example/",
    "punycode": "https://xn--rm-jlc.example/", "a full-width dot": "https://crm.example。evil.example/",
    "another port": "https://crm.example:8443/", "http": "http://crm.example/", "http on 443": "http://crm.example:443/",
    "http in upper case": "HTTP://CRM.EXAMPLE/", "a public address": "https://93.184.216.34/",
    "loopback": "https://127.0.0.1/", "loopback over http": "http://127.0.0.1/", "short loopback": "http://127.1/",
    "octal loopback": "http://0177.0.0.1/", "decimal loopback": "http://2130706433/", "IPv6 loopback": "http://[::1]/",
    "mapped IPv6": "http://[::ffff:127.0.0.1]/", "localhost": "http://localhost/", "zone": "http://[fe80::1%25lo]/",
    "no scheme": "//crm.example/", "another scheme": "ftp://crm.example/", "tab": "https://crm.exam\tple/",
}  # fmt: skip
DATABASES = {
    "a PostgreSQL address": DSN, "a PostgreSQL address without a password": "postgres://db.example/crm",
    "a key-value DSN": "host=db.example dbname=crm user=crm password=canary-pass-Qp71",
    "a key-value DSN in another order": "user=crm  PASSWORD = 'canary-pass-Qp71' dbname=crm",
    "a MySQL address": "mysql://crm:canary-pass-Qp71@db.example/crm", "a broker": "redis://:canary-pass-Qp71@mq/0",
    "a web address with a password": "https://crm:canary-pass-Qp71@api.example/",
}  # fmt: skip
LISTS = {
    "no list": None, "an empty list": "", "a comment": "# HOST", "a star": "*", "a star and the port": "*:PORT",
    "a network": "127.0.0.0/8", "another host": "crm.example", "another port": "127.0.0.1:1", "a URL": "http://HOST/",
    "without the port": "127.0.0.1", "a path": "HOST/v1", "a user": "u@HOST", "two on a line": "crm.example HOST",
}  # fmt: skip
OWN = (
    "MASKING_KEY", "DATABASE_URL", "BROKER_URL", "WAREHOUSE_URL", "TOKEN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN", "TEAMS_APP_PASSWORD",
)  # fmt: skip
GUARDS = [
    Guard("core/kept.py", "if place not in self.hosts:", "if False:",
          "test_secrets.py::test_no_spelling_of_another_host_receives_a_secret"),
    Guard("core/kept.py", 'if scheme != "https" and not _is_loopback(host):', "if False:",
          "test_secrets.py::test_no_name_receives_a_secret_over_http_though_it_is_listed"),
    Guard("core/kept.py", "if _DATABASE.search(value):", "if False:",
          "test_secrets.py::test_the_address_of_a_database_is_sent_to_nobody"),
    Guard("core/settings.py", "if value in self._own():", "if False:",
          "test_secrets.py::test_no_secret_of_the_installation_can_be_used"),
    Guard("core/settings.py", 'if _is_secret(name.removeprefix(PREFIX).removesuffix("_FILE").lower()):', "if False:",
          "test_secrets.py::test_no_secret_of_the_installation_can_be_named"),
    Guard("connectors/_calls.py", "if at.place in self._own and (credentials", "if (credentials",
          "test_secrets.py::test_what_a_server_leads_to_receives_no_secret"),
    Guard("connectors/_calls.py", "if at.place not in self._allowed:", "if False:",
          "test_secrets.py::test_what_a_server_leads_to_receives_no_secret"),
    Guard("engine/check.py", "connector.check(", "str(",
          "test_secrets.py::test_check_names_the_line_and_the_list_to_extend"),
]  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.paths["/"] = lambda query, _: [{"id": 1}]
    yield made
    made.stop()


def settings(listed: str | None, value: str = TOKEN, **more: str) -> Settings:
    given = {"ATLAS_REST_ALLOW_PRIVATE": "0.0.0.0/0,::/0", "ATLAS_SECRET_CRM": value, **more}
    return load(given if listed is None else {**given, "ATLAS_SECRET_CRM_HOSTS": listed})


def read(at: str, auth: dict[str, Any], given: Settings, **more: Any) -> list[Any]:
    """What is read; every name leads to loopback."""
    written = {"connector": "rest", "url": at, "auth": auth, **more}
    source = rest.Source.model_validate(named(written, given.secret), context=given)
    (part,) = rest.parts(source, Path())
    return list(rest.read(source, part, lambda *_: ["127.0.0.1"]))


def refused(*what: Any, **more: Any) -> bool:
    """Whether a source is refused before anything is sent, and without the secret in the message."""
    try:
        read(*what, **more)
    except (Misconfigured, Refused, MistakeAt, ValidationError) as error:
        said = error.json() if isinstance(error, ValidationError) else f"{error} {getattr(error, 'hint', '')}"
        return "canary" not in said
    except AtlasError:
        pass
    return False


def heard(server: Server) -> bool:
    return any("canary" in json.dumps(headers) or "Y2FuYXJ5" in json.dumps(headers) for _, _, headers in server.heard)


@pytest.mark.parametrize("place", PLACES)
def test_a_listed_host_receives_the_secret(server: Server, place: str) -> None:
    for listed in (f"127.0.0.1:{server.port}", f"crm.example,\n 127.0.0.1:{server.port} # the mock\n"):
        read(server.at("/"), PLACES[place]("${secret:CRM}"), settings(listed))
        name, value = {"bearer": ("Authorization", f"Bearer {TOKEN}"), "header": ("X-Api-Key", TOKEN),
                       "basic": ("Authorization", "Basic dTpjYW5hcnktdG9rZW4tUXA3MQ==")}[place]  # fmt: skip
        assert server.heard.pop()[2][name] == value


@pytest.mark.parametrize("place", PLACES)
def test_no_spelling_of_another_host_receives_a_secret(attempts: Attempts, place: str) -> None:
    for name, at in OTHER_HOSTS.items():
        held = refused(at, PLACES[place]("${secret:CRM}"), settings("crm.example"))
        attempts.tried("secret to another host", f"{place}, {name}", held=held)


@pytest.mark.parametrize("place", PLACES)
def test_no_name_receives_a_secret_over_http_though_it_is_listed(
    attempts: Attempts, server: Server, place: str
) -> None:
    for host in ("crm.example", "localhost", "ip6-localhost", "127.0.0.1.crm.example"):
        listed = settings(f"{host},{host}:{server.port}")
        held = refused(server.at("/", host), PLACES[place]("${secret:CRM}"), listed)
        attempts.tried("secret over http", f"{place}, {host}", held=held and not heard(server))


@pytest.mark.parametrize("place", PLACES)
def test_a_list_that_does_not_hold_the_exact_host_opens_nothing(attempts: Attempts, server: Server, place: str) -> None:
    for name, listed in LISTS.items():
        filled = listed and listed.replace("HOST", f"127.0.0.1:{server.port}").replace("PORT", str(server.port))
        held = refused(server.at("/"), PLACES[place]("${secret:CRM}"), settings(filled))
        attempts.tried("secret with another list", f"{place}, {name}", held=held and not heard(server))


@pytest.mark.parametrize("place", PLACES)
def test_the_address_of_a_database_is_sent_to_nobody(attempts: Attempts, server: Server, place: str) -> None:
    for name, value in DATABASES.items():
        listed = settings(f"127.0.0.1:{server.port}", value)
        held = refused(server.at("/"), PLACES[place]("${secret:CRM}"), listed)
        attempts.tried("database address as a token", f"{place}, {name}", held=held and not heard(server))


def test_a_token_is_no_address_of_a_database(attempts: Attempts) -> None:
    values = {"a token": TOKEN, "an assignment": f"token={TOKEN}", "a web address": f"https://db.example/{TOKEN}",
              "a user alone": f"user={TOKEN}", "JSON": json.dumps({"password": TOKEN})}  # fmt: skip
    for name, value in values.items():
        source = {"connector": "postgres", "dsn": "${secret:CRM}", "table": "t"}
        found = postgres.Source.model_validate(named(source, settings(None, value).secret))
        with pytest.raises(Misconfigured) as error:
            postgres.parts(found, Path())
        attempts.tried("token as a database address", name, held=TOKEN not in f"{error.value} {error.value.hint}")


def test_what_a_server_leads_to_receives_no_secret(attempts: Attempts, server: Server) -> None:
    """Neither a redirect, nor a header Link, nor a link in the answer carries it to another host or port."""
    other = Server()
    other.paths["/"] = lambda query, _: []
    leads: dict[str, Callable[[str], Any]] = {
        "redirect": lambda to: (302, {"Location": to}, b""), "permanent": lambda to: (308, {"Location": to}, b""),
        "link": lambda to: (200, {"Link": f'<{to}>; rel="next"'}, [{"id": 1}]),
        "cursor": lambda to: {"items": [{"id": 1}], "next": to},
    }  # fmt: skip
    pagination = {"link": {"pagination": {"by": "link"}},
                  "cursor": {"pagination": {"by": "cursor", "next": "$.next"}, "records": "$.items"}}  # fmt: skip
    targets = {"another port": other.at("/"), "another name": other.at("/", "localhost"),
               "user": f"http://127.0.0.1:{server.port}@localhost:{other.port}/"}  # fmt: skip
    own = f"127.0.0.1:{server.port}"
    for place, auth in PLACES.items():
        for lead, answer in leads.items():
            for target, to in targets.items():
                for allowed in ([], [f"127.0.0.1:{other.port}", f"localhost:{other.port}"]):
                    server.paths["/"] = lambda query, _, answer=answer, to=to: answer(to)  # type: ignore[misc]
                    more = {**pagination.get(lead, {}), "allow": allowed}
                    given = settings(f"{own},127.0.0.1:{other.port},localhost:{other.port}")
                    before = len(other.heard)
                    with suppress(AtlasError):
                        read(server.at("/"), auth("${secret:CRM}"), given, **more)
                    reached = len(other.heard) > before
                    name = f"{place}, {lead}, {target}, {'allowed' if allowed else 'not allowed'}"
                    attempts.tried(
                        "secret to a linked host", name, held=not heard(other) and (bool(allowed) or not reached)
                    )
    other.stop()


def test_a_redirect_from_https_to_http_is_refused(attempts: Attempts) -> None:
    from connectors._addresses import address
    from connectors._calls import Caller

    start = address("https://crm.example/")
    kept = settings("crm.example,crm.example:80,127.0.0.1").secret("CRM")
    caller = Caller(start, {("crm.example", 80)}, (), lambda to: ("A", kept.for_host("CRM", to.scheme, *to.place)),
                    lambda *_: ["127.0.0.1"])  # fmt: skip
    for to in ("http://crm.example/", "http://crm.example:443/", "HTTP://CRM.EXAMPLE:443/", "//evil.example/",
               "http:crm.example", "https://crm.example:444/"):  # fmt: skip
        try:
            found = caller.linked(to, start)
            held = found.place == start.place and found.scheme == "https"
        except AtlasError:
            held = True
        attempts.tried("secret after a downgrade", to, held=held)


def test_no_secret_of_the_installation_can_be_named(attempts: Attempts, tmp_path: Path) -> None:
    """Also not where somebody wrote it to the folder of secrets under that name."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for own in OWN:
        for name in (own, f"ATLAS_{own}", f"{own}_FILE", f"ATLAS_{own}_FILE", own.lower()):
            (folder / name).write_text("canary-of-the-installation", encoding="utf-8")
            (folder / f"{name}.hosts").write_text("127.0.0.1", encoding="utf-8")
            found = load(
                {"ATLAS_SECRETS": str(folder), **({f"ATLAS_SECRET_{name}": "canary"} if name.isupper() else {})}
            )
            with pytest.raises(Misconfigured, match="There is no secret") as error:
                found.secret(name)
            attempts.tried("secret of the installation", name, held="canary" not in f"{error.value} {error.value.hint}")


def test_no_secret_of_the_installation_can_be_used(attempts: Attempts, tmp_path: Path) -> None:
    """Also not under another name: neither its value, nor the password in its value."""
    values = {own: f"canary-{own}-0123456789-0123456789-0123" for own in OWN}
    values |= {"DATABASE_URL": "postgresql://atlas:p%40ss-db@db/atlas", "BROKER_URL": "redis://:p-broker@mq:6379/0",
               "WAREHOUSE_URL": "postgresql://atlas:p-wh@db/warehouse"}  # fmt: skip
    passwords = {"DATABASE_URL": "p@ss-db", "BROKER_URL": "p-broker", "WAREHOUSE_URL": "p-wh"}
    settings = {f"ATLAS_{own}": value for own, value in values.items()}
    for own, value in [*values.items(), *passwords.items()]:
        (tmp_path / "CRM").write_text(value + "\n", encoding="utf-8")
        for where, more in (("a file", {"ATLAS_SECRETS": str(tmp_path)}), ("a variable", {"ATLAS_SECRET_CRM": value})):
            try:
                load({**settings, **more}).secret("CRM")
                held = False
            except Misconfigured as error:
                held = value not in f"{error} {error.hint}"
            what = "password" if value == passwords.get(own) else "value"
            attempts.tried("secret of the installation under another name", f"{what} of {own} in {where}", held=held)


def test_a_secret_is_nothing_but_a_credential(attempts: Attempts) -> None:
    """Every other place of a source refuses a reference, whole or half."""
    source: dict[str, Any] = {"connector": "rest", "url": "https://crm.example/"}
    places: dict[str, Callable[[str], dict[str, Any]]] = {
        "url": lambda text: {"url": text}, "query": lambda text: {"url": f"https://crm.example/?token={text}"},
        "path": lambda text: {"url": f"https://crm.example/{text}"}, "host": lambda text: {"url": f"https://{text}/"},
        "records": lambda text: {"records": text}, "since": lambda text: {"since": text, "cursor": "a"},
        "cursor": lambda text: {"cursor": text}, "allow": lambda text: {"allow": [text]},
        "user": lambda text: {"auth": {"basic": {"user": text, "password": "${secret:CRM}"}}},
        "header": lambda text: {"auth": {"header": {"name": text, "value": "${secret:CRM}"}}},
        "page": lambda text: {"pagination": {"by": "page", "parameter": text}},
        "next": lambda text: {"pagination": {"by": "cursor", "next": text}},
        "size": lambda text: {"pagination": {"by": "page", "size": 1, "size_parameter": text}},
        "half a bearer": lambda text: {"auth": {"bearer": f"x{text}"}},
        "a connector": lambda text: {"connector": text}, "pages": lambda text: {"max_pages": text},
    }  # fmt: skip
    given = settings("crm.example")
    for name, more in places.items():
        for what in ("${secret:CRM}", "${secret:CRM} "):
            try:
                rest.Source.model_validate(named({**source, **more(what)}, given.secret), context=given)
                held = False
            except (MistakeAt, ValidationError) as error:
                held = TOKEN not in str(error)
            attempts.tried("secret in another place", f"{name}, {what!r}", held=held)


def test_check_names_the_line_and_the_list_to_extend(attempts: Attempts, tmp_path: Path) -> None:
    folder, secrets = tmp_path / "pipelines", tmp_path / "secrets"
    folder.mkdir()
    secrets.mkdir()
    (secrets / "CRM").write_text(TOKEN, encoding="utf-8")
    (secrets / "DB").write_text(DSN, encoding="utf-8")
    (secrets / "DB.hosts").write_text("crm.example", encoding="utf-8")
    (folder / "a.yml").write_text(
        "name: a\nowner: crm-team\nsource:\n  connector: rest\n  url: https://crm.example/\n"
        '  auth: {bearer: "${secret:CRM}"}\n', encoding="utf-8")  # fmt: skip
    (folder / "b.yml").write_text((folder / "a.yml").read_text().replace("CRM", "DB").replace("name: a", "name: b"))
    (folder / "c.yml").write_text(
        'name: c\nowner: crm-team\nsource:\n  connector: postgres\n  dsn: "${secret:CRM}"\n  table: t\n'
    )
    found = load({"ATLAS_SECRETS": str(secrets)})
    said = [str(mistake) for mistake in check(folder, secret=found.secret)[1]]
    wanted = [
        "a.yml:6: `source.auth.bearer`: the secret `CRM` may not be sent to `crm.example`; if that host may receive "
        f"it, an administrator adds crm.example to the file CRM.hosts in {secrets}",
        "b.yml:6: `source.auth.bearer`: the secret `DB` is the address of a database and can only be a `dsn`; use a "
        "secret that holds nothing but the token",
        "c.yml:5: `source.dsn`: the secret `CRM` is no address of a PostgreSQL database; write "
        "postgresql://user:password@host:5432/database, special letters of the password as %40 and the like",
    ]
    for name, line in zip(("another host", "a database's address", "a token as dsn"), wanted, strict=True):
        attempts.tried("secret that check refuses", name, held=line in said)
    (secrets / "CRM.hosts").write_text("# who may receive it\nCRM.example\n", encoding="utf-8")
    assert not [line for line in map(str, check(folder, secret=found.secret)[1]) if line.startswith("a.yml")]


def test_a_list_of_hosts_without_its_secret_is_an_error_at_start() -> None:
    with pytest.raises(Misconfigured, match="ATLAS_SECRET_CRM_HOSTS") as error:
        load({"ATLAS_SECRET_CRM_HOSTS": "crm.example"})
    assert error.value.hint == ("Set ATLAS_SECRET_CRM too. The hosts of a secret in a file are in CRM.hosts beside it.")
