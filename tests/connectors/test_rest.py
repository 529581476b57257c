"""What is read from a REST API, and what is said when its server behaves badly; the server is a real one."""

import gzip
import json
import sqlite3
import ssl
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from connectors import rest
from core.errors import AtlasError, Refused, SourceMissing, SourceUnavailable, SourceUnreadable
from core.models import LINE, Rejects, Remark
from core.secrets import named
from core.settings import load
from tests.mocks.source import Query, Server
from tests.program import Program

TOKEN = "canary-token-Zk38"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


def source(url: str, private: str = "127.0.0.0/8", **more: Any) -> rest.Source:
    place = url.partition("://")[2].partition("/")[0]
    settings = load({
        "ATLAS_REST_ALLOW_PRIVATE": private, "ATLAS_SECRET_CRM_TOKEN": TOKEN, "ATLAS_SECRET_CRM_TOKEN_HOSTS": place,
    })  # fmt: skip
    given = named({"connector": "rest", "url": url, **more}, settings.secret)
    return rest.Source.model_validate(given, context=settings)


def read(given: rest.Source, **how: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    rows: list[dict[str, Any]] = []
    rejected: list[tuple[int, str]] = []
    (part,) = rest.parts(given, None)  # type: ignore[arg-type]
    for batch in rest.read(given, part, **how):
        if isinstance(batch, Rejects):
            rejected += zip(batch.lines, batch.reasons, strict=True)
        elif not isinstance(batch, Remark):
            batch.validate(full=True)
            rows += batch.to_pylist()
    return rows, rejected


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"]) for row in rows]


def fails(server: Server, body: Any, kind: type[AtlasError] = SourceUnreadable, **more: Any) -> str:
    """What is said of an answer."""
    server.paths["/v1/people"] = lambda query, _: body
    with pytest.raises(kind) as error:
        read(source(server.at("/v1/people?api=" + TOKEN), **more))
    told = f"{error.value.message} {error.value.hint}"
    assert TOKEN not in told
    assert "Kirstine" not in told
    assert error.value.hint
    assert f"`127.0.0.1:{server.port}/v1/people`" in told, told
    return error.value.message


# What a record becomes


def test_nested_objects_become_columns_and_numbers_stay_as_they_are_written(server: Server) -> None:
    server.paths["/"] = lambda query, _: (
        b'{"data": {"items": [{"id": 1.10, "big": 12345678901234567890123, "on": true, "tags": [1.0, {"a": "\xc3\xb8"}]'
        b', "address": {"city": "Aarhus", "geo": {"lat": 56.150}}, "none": null, "empty": ""}]}}'
    )
    rows, rejected = read(source(server.at("/"), records="$.data.items[*]"))
    assert rows == [
        {
            "id": "1.10", "big": "12345678901234567890123", "on": "true", "tags": '[1.0, {"a": "ø"}]',
            "address_city": "Aarhus", "address_geo_lat": "56.150", "none": None, "empty": None, LINE: 1,
        }
    ]  # fmt: skip
    assert rejected == []


def test_records_without_a_key_are_null_there_and_no_objects_are_rejected(server: Server) -> None:
    server.paths["/"] = lambda query, _: (
        b'[{"id": 1}, 7, {"b": "x", "id": 2}, null, {"id": "\\u0000"}, {"id": "\\ud800"}]'
    )
    rows, rejected = read(source(server.at("/")))
    assert rows == [{"id": "1", "b": None, LINE: 1}, {"id": "2", "b": "x", LINE: 3}]
    assert rejected == [
        (2, "is no object"), (4, "is no object"), (5, "has a NUL byte"), (6, "has half a letter (a lone surrogate)"),
    ]  # fmt: skip


def test_a_nested_object_that_is_null_somewhere_makes_no_column_of_its_own(server: Server) -> None:
    server.paths["/"] = lambda query, _: [{"id": 1, "address": None}, {"id": 2, "address": {"city": "Ribe"}}]
    rows, _ = read(source(server.at("/")))
    assert rows == [{"id": "1", "address_city": None, LINE: 1}, {"id": "2", "address_city": "Ribe", LINE: 2}]


def test_keys_that_would_be_one_column_are_named(server: Server) -> None:
    told = fails(server, [{"address_city": "a"}, {"address": {"city": "b"}}])
    assert "`address_city` and `address.city`" in told
    assert "`Id` and `ID`" in fails(server, [{"Id": 1, "ID": 2}])
    assert "same key twice" in fails(server, b'[{"id": 1, "id": 2}]')


# Pages


PEOPLE = [{"id": n} for n in range(1, 26)]


def test_pages_by_number(server: Server) -> None:
    server.paths["/"] = lambda q, _: {"items": PEOPLE[(int(q["page"]) - 1) * int(q["per"]) :][: int(q["per"])]}
    pagination = {"by": "page", "size": 10, "size_parameter": "per"}
    rows, _ = read(source(server.at("/?active=yes"), records="$.items", pagination=pagination))
    assert ids(rows) == list(range(1, 26))
    assert [row[LINE] for row in rows] == ids(rows)
    assert {query["active"] for _, query, _ in server.heard} == {"yes"}


def test_pages_by_offset_even_if_the_server_gives_fewer_than_asked(server: Server) -> None:
    server.paths["/"] = lambda q, _: PEOPLE[int(q["skip"]) :][:4]
    pagination = {"by": "offset", "parameter": "skip", "size": 100, "size_parameter": "limit"}
    assert ids(read(source(server.at("/"), pagination=pagination))[0]) == list(range(1, 26))


def test_pages_by_cursor(server: Server) -> None:
    def answer(query: Query, _: Server) -> Any:
        at = int(query.get("after", 0))
        return {"items": PEOPLE[at : at + 7], "meta": {"next": at + 7 if at + 7 < 25 else None}}

    server.paths["/"] = answer
    pagination = {"by": "cursor", "parameter": "after", "next": "$.meta.next"}
    assert ids(read(source(server.at("/"), records="$.items", pagination=pagination))[0]) == list(range(1, 26))


@pytest.mark.parametrize("how", ["link", "address"])
def test_pages_by_link(server: Server, how: str) -> None:
    def answer(query: Query, server: Server) -> Any:
        at = int(query.get("at", 0))
        more = f"/?at={at + 10}" if at + 10 < 25 else None
        links = f'<{server.at("/")}?at=0>; title="a, b"; rel="first"' + (f', <{more}>; rel="last next"' if more else "")
        return 200, {"Link": links} if how == "link" else {}, {"items": PEOPLE[at : at + 10], "next": more}

    server.paths["/"] = answer
    pagination = {"by": "link"} if how == "link" else {"by": "cursor", "next": "$.next"}
    assert ids(read(source(server.at("/"), records="$.items", pagination=pagination))[0]) == list(range(1, 26))


def test_pages_without_end_are_an_error(server: Server) -> None:
    assert "the same page again" in fails(server, [{"id": 1}], pagination={"by": "page"})
    assert "the same page again" in fails(server, [{"id": 1}], pagination={"by": "offset"})
    circle = {"items": [{"id": 1}], "next": "x"}
    told = fails(server, circle, records="$.items", pagination={"by": "cursor", "next": "$.next", "parameter": "c"})
    assert "never end" in told
    server.paths["/v1/more"] = lambda q, _: [{"id": q["page"]}]
    with pytest.raises(SourceUnreadable, match="more than 3 pages"):
        read(source(server.at("/v1/more"), pagination={"by": "page"}, max_pages=3))


def test_a_page_in_the_middle_that_fails_is_asked_for_again(server: Server) -> None:
    failing = iter([503, 429, 500])

    def answer(query: Query, _: Server) -> Any:
        if query["page"] == "2" and (status := next(failing, None)):
            return status, {"Retry-After": "0"}, b"<html>"
        return PEOPLE[(int(query["page"]) - 1) * 10 :][:10]

    server.paths["/"] = answer
    assert ids(read(source(server.at("/"), pagination={"by": "page"}))[0]) == list(range(1, 26))
    assert [query["page"] for _, query, _ in server.heard] == ["1", "2", "2", "2", "2", "3", "4", "5"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(server: Server, form: str) -> None:
    times: list[float] = []

    def answer(query: Query, _: Server) -> Any:
        times.append(time.time())
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
        asked = "2" if form == "seconds" else later
        return (429, {"Retry-After": asked}, b"") if len(times) == 1 else PEOPLE

    server.paths["/"] = answer
    assert len(read(source(server.at("/")))[0]) == 25
    assert times[1] - times[0] >= 1.9  # never sooner than it asked


def test_a_server_that_asks_to_wait_for_an_hour_is_left_to_a_later_try(server: Server) -> None:
    told = fails(server, (429, {"Retry-After": "3600"}, b""), SourceUnavailable)
    assert told.endswith("answered 429. It asks to be left alone for 3600 s.")
    assert len(server.heard) == 1


# What goes wrong


def test_what_is_no_answer_to_use_is_told_with_its_remedy(server: Server) -> None:
    good = b'[{"name": "Kirstine"}]'
    assert fails(server, (401, {}, good)).endswith("asks for credentials: it answered 401.")
    auth = {"bearer": "${secret:CRM_TOKEN}"}
    assert fails(server, (403, {}, good), auth=auth).endswith("does not accept the credentials: it answered 403.")
    assert "There is nothing" in fails(server, (404, {}, good), SourceMissing)
    assert "answered 418" in fails(server, (418, {}, good))
    assert "HTML" in fails(server, b"<!doctype html><p>Kirstine")
    assert "is not UTF-8: look at byte 12" in fails(server, b'[{"name": "\xff"}]')
    assert "ends in the middle" in fails(server, b'[{"name": "Kirstine"}, ')
    assert "broken at letter 11" in fails(server, b'[{"name": \'Kirstine"}]')
    assert "is empty" in fails(server, b"")
    assert "NaN" in fails(server, b'[{"a": NaN}]')
    assert "nested too deeply" in fails(server, b"[" * 100_000)
    assert "its list is empty" in fails(server, [])
    assert "no record that is an object" in fails(server, ["Kirstine"])
    assert "`$.items` is not there" in fails(server, {"data": good.decode()}, records="$.items")
    assert "`$` is no list" in fails(server, {"data": 1})
    assert "more than 2000 different keys" in fails(server, [{str(n): "x" for n in range(2001)}])
    assert "packs its answer" in fails(server, (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(good)))
    assert "says gzip" in fails(server, (200, {"Content-Encoding": "gzip"}, good))


def test_an_answer_broken_off_is_asked_for_again_and_then_told(server: Server) -> None:
    cut = (200, {"Content-Length": "1000"}, b'[{"id": 1}')
    assert "broke off" in fails(server, cut, SourceUnavailable)
    assert len(server.heard) == 4
    server.stop()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        read(source(server.at("/")))


def test_a_packed_answer_is_unpacked_and_a_bomb_is_not(server: Server) -> None:
    server.paths["/"] = lambda q, _: (200, {"Content-Encoding": "gzip"}, gzip.compress(json.dumps(PEOPLE).encode()))
    assert ids(read(source(server.at("/")))[0]) == list(range(1, 26))
    bomb = (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * (1 << 30), 9))
    tracemalloc.start()
    assert "a page of more than 64 MB" in fails(server, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 << 20


# Other hosts


def test_redirects_are_followed_among_the_hosts_of_the_source_only(server: Server) -> None:
    other = Server()
    other.paths["/people"] = lambda q, _: PEOPLE
    server.paths["/"] = lambda q, _: (302, {"Location": other.at("/people", "localhost")}, b"")
    auth = {"bearer": "${secret:CRM_TOKEN}"}
    with pytest.raises(Refused) as error:
        read(source(server.at("/"), auth=auth))
    assert f"`localhost:{other.port}`" in error.value.message
    assert other.heard == []
    allow = [f"localhost:{other.port}"]
    rows, _ = read(source(server.at("/"), "127.0.0.1,localhost", auth=auth, allow=allow))
    assert len(rows) == 25
    assert server.heard[-1][2]["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in other.heard[-1][2]
    with pytest.raises(Refused, match="not on the public internet"):  # allowed to the source, not by the installation
        read(source(server.at("/"), "127.0.0.1/32", allow=allow), resolve=lambda *_: ["127.0.0.2"])
    other.stop()


def test_redirects_in_a_circle_and_to_strange_places_end(server: Server) -> None:
    assert "perhaps in a circle" in fails(server, (301, {"Location": "/v1/people"}, b""))
    for strange in ("file:///etc/passwd", "http://a@127.0.0.1/", "http://127.1/", "//127.0.0.1\\@x/"):
        assert "no http address" in fails(server, (307, {"Location": strange}, b"")), strange


def test_a_link_to_another_host_is_not_followed(server: Server) -> None:
    body = (200, {"Link": '<http://169.254.169.254/latest>; rel="next"'}, [{"id": 1}])
    assert "`169.254.169.254:80`" in fails(server, body, Refused, pagination={"by": "link"})


def test_the_address_that_was_checked_is_the_one_connected_to(server: Server) -> None:
    server.paths["/"] = lambda q, _: PEOPLE
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])  # the second is another network's
    asked: list[str] = []

    def rebinding(name: str, _: int) -> list[str]:
        asked.append(name)
        return next(answers)

    given = source(server.at("/", "crm.example"), "127.0.0.1")
    assert len(read(given, resolve=rebinding)[0]) == 25
    assert asked == ["crm.example"]  # the name is not looked up again by whoever connects
    assert server.heard[-1][2]["Host"] == f"crm.example:{server.port}"
    with pytest.raises(Refused):
        read(given, resolve=rebinding)
    assert len(server.heard) == 1


def test_without_the_setting_loopback_is_refused(server: Server) -> None:
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(Refused, match="not on the public internet"):
            read(source(server.at("/", host), "10.0.0.0/8"))
    assert server.heard == []


def test_a_proxy_of_the_environment_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.paths["/"] = lambda q, _: PEOPLE
    assert len(read(source(server.at("/")))[0]) == 25


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"bearer": "${secret:CRM_TOKEN}"}, "Authorization", f"Bearer {TOKEN}"),
        (
            {"basic": {"user": "u", "password": "${secret:CRM_TOKEN}"}}, "Authorization",
            "Basic dTpjYW5hcnktdG9rZW4tWmszOA==",
        ),
        ({"header": {"name": "X-Api-Key", "value": "${secret:CRM_TOKEN}"}}, "X-Api-Key", TOKEN),
    ],
)  # fmt: skip
def test_credentials_are_sent(server: Server, auth: Any, name: str, value: str) -> None:
    server.paths["/"] = lambda q, _: PEOPLE
    given = source(server.at("/"), auth=auth)
    read(given)
    assert server.heard[0][2][name] == value
    assert TOKEN not in repr(given) + str(given.model_dump())


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x.example/"}, {"url": "https://u:p@x.example/"}, {"records": "items"}, {"records": "$..id"},
        {"pagination": {"by": "cursor"}}, {"pagination": {"by": "page", "size": 3}}, {"pagination": {"by": "guess"}},
        {"auth": {}}, {"auth": {"bearer": "in the file"}}, {"allow": ["*.example"]}, {"allow": ["x.example:0"]},
        {"auth": {"header": {"name": "Host", "value": "${secret:CRM_TOKEN}"}}}, {"max_pages": 0},
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_before_anything_runs(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(**{"url": "https://x.example/", **wrong})


@pytest.mark.long
def test_memory_stays_flat_over_two_hundred_thousand_records(server: Server) -> None:
    def answer(query: Query, _: Server) -> Any:
        first = (int(query["page"]) - 1) * 1000
        return (
            [{"id": n, "name": f"person {n}", "address": {"city": "Aarhus"}} for n in range(first, first + 1000)]
            if (first < 200_000)
            else []
        )

    server.paths["/"] = answer
    given = source(server.at("/"), pagination={"by": "page"})
    rows = 0
    tracemalloc.start()
    for batch in rest.read(given, rest.parts(given, None)[0]):  # type: ignore[arg-type]
        assert not isinstance(batch, Rejects)
        rows += batch.num_rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 200_000
    assert peak < 60 << 20


# From the file to the answer


def test_a_pipeline_reads_an_api_and_no_secret_stands_anywhere(server: Server, tmp_path: Any) -> None:
    def answer(query: Query, _: Server) -> Any:
        if server.heard[-1][2].get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}, b"no"
        first = (int(query["page"]) - 1) * 100
        records = [{"id": n, "total": f"{n}.50", "address": {"city": "Ribe"}} for n in range(first, first + 100)]
        return {"items": [*records, 7] if first < 300 else []}

    server.paths["/v1/orders"] = answer
    place = f"127.0.0.1:{server.port}"
    program = Program(
        tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1", ATLAS_SECRET_CRM_TOKEN=TOKEN, ATLAS_SECRET_OLD="canary-old-77",
        ATLAS_SECRET_CRM_TOKEN_HOSTS=place, ATLAS_SECRET_OLD_HOSTS=place, ATLAS_LOG_LEVEL="DEBUG",
    )  # fmt: skip
    for name, secret in (("orders", "CRM_TOKEN"), ("refused", "OLD")):
        written = (
            f"name: {name}\nowner: web-team\nkey: [id]\nsource:\n  connector: rest\n"
            f"  url: {server.at('/v1/orders?v=2')}\n"
            f'  records: $.items\n  pagination: {{by: page}}\n  auth: {{bearer: "${{secret:{secret}}}"}}\n'
        )
        (program.pipelines / f"{name}.yml").write_text(written, encoding="utf-8")
    checked = program.run("check")
    assert checked.returncode == 0, checked.stdout
    run = program.say("run orders")
    assert (run["ok"], run["facts"]["rows_in"], run["facts"]["rows_rejected"]) == (True, 303, 3), run
    failed = program.say("run refused")
    assert "does not accept the credentials: it answered 401" in failed["text"]
    assert "Look at auth of the source" in failed["text"]
    events = program.run("events")
    assert f"http://127.0.0.1:{server.port}" in events.stdout
    texts = [json.dumps([run, failed]), events.stdout, events.stderr]
    kept = [path.read_bytes() for path in program.home.rglob("*") if path.is_file()]
    for canary in (TOKEN, "canary-old-77"):
        assert not any(canary in text for text in texts)
        assert not any(canary.encode() in content for content in kept)
    (program.pipelines / "orders.yml").write_text(
        "name: orders\nowner: web-team\nsource: {connector: rest, url: 'ftp://u:hunter2@x/', records: items}\n"
    )
    told = program.run("check", "orders").stdout
    assert "orders.yml:3: `source.url`: must begin with https:// or http://" in told
    assert "`source.records`" in told
    assert "hunter2" not in told


def test_the_certificate_must_be_for_the_name_that_was_asked(server: Server, tmp_path: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crm.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("crm.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server.secure(context)
    server.paths["/"] = lambda q, _: PEOPLE

    def there(*_: object) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(SourceUnavailable, match=r"The certificate of `crm\.example`"):
        read(source(f"https://crm.example:{server.port}/"), resolve=there)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
        assert len(read(source(f"https://crm.example:{server.port}/"), resolve=there)[0]) == 25
        with pytest.raises(SourceUnavailable, match=r"The certificate of `other\.example`"):
            read(source(f"https://other.example:{server.port}/"), resolve=there)


# What came since


def test_later_runs_ask_for_what_came_since_and_records_merge_by_key(server: Server, tmp_path: Any) -> None:
    people = {n: {"id": n, "name": f"P{n}", "meta": {"changed": f"2026-03-0{n}T12:00:00Z"}} for n in (1, 2, 3)}
    server.paths["/v1/people"] = lambda query, _: {
        "items": [p for p in people.values() if p["meta"]["changed"] >= query.get("changed_since", "")]
    }
    program = Program(tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1")
    (program.pipelines / "people.yml").write_text(
        f'name: people\nowner: hr\nkey: [id]\nsource: {{connector: rest, url: "{server.at("/v1/people")}", '
        'records: "$.items", cursor: meta_changed, since: changed_since}\n'
    )
    assert program.say("run people")["facts"]["rows_in"] == 3
    people[2] = {"id": 2, "name": "Changed", "meta": {"changed": "2026-03-04T12:00:00Z"}}
    people[4] = {"id": 4, "meta": {"changed": "2026-03-03T11:55:00Z"}}  # late, and without a name
    done = program.say("run people")
    assert server.heard[-1][1] == {"changed_since": "2026-03-03T11:50:00Z"}
    assert (done["facts"]["rows_in"], done["facts"]["rows_out"]) == (3, 3)
    people.clear()
    nothing = program.say("run people")
    assert (nothing["exit"], nothing["facts"]["rows_in"]) == (0, 0)
    with sqlite3.connect(program.home / "atlas.db") as db:
        rows = db.execute("SELECT rows FROM version ORDER BY number").fetchall()
    assert rows == [(3,), (4,), (4,)]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("2026-03-01T00:05:00Z", "2026-02-28T23:55:00Z"),
        ("2026-03-01 00:05:00.250", "2026-02-28 23:55:00.250000"),
        ("2026-03-01T00:05+01:00", "2026-02-28T23:55:00+01:00"),
        ("17", "17"),
        ("2026-03-01", "2026-03-01"),
    ],
)
def test_a_time_is_asked_for_ten_minutes_earlier(value: str, sent: str) -> None:
    (part,) = rest.parts(source("http://127.0.0.1/v1"), None, value)  # type: ignore[arg-type]
    assert part.spec == {"since": sent}


# A list that is not whole


def remarks(given: rest.Source) -> list[Remark]:
    (part,) = rest.parts(given, None)  # type: ignore[arg-type]
    return [batch for batch in rest.read(given, part) if isinstance(batch, Remark)]


FAILED: list[dict[str, Any]] = [
    {"errors": [{"message": "timeout"}]},
    {"error": "not allowed"}, {"error": {"code": 5}}, {"errors": {"id": ["is wrong"]}},
    {"success": False}, {"ok": False}, {"isSuccess": False}, {"status": "error"}, {"status": "Failed"},
    {"incomplete_results": True}, {"timed_out": True}, {"status": 503}, {"errorCode": "E17"},
]  # fmt: skip
WELL: list[dict[str, Any]] = [
    {"errors": []}, {"error": None}, {"errors": {}}, {"error": ""}, {"errors": [None, {}]}, {"error": False},
    {"errors": {"count": 0, "list": []}}, {"error": {"code": 0, "message": "OK"}}, {"success": True}, {"status": "ok"},
    {"status": 200}, {"errorCode": 0}, {"incomplete_results": False}, {"error_rate": 0.5}, {"status": "open"},
]  # fmt: skip


@pytest.mark.parametrize("said", FAILED, ids=json.dumps)
@pytest.mark.parametrize("records", [None, []])
def test_an_error_in_a_200_is_an_error(server: Server, said: dict[str, Any], records: Any) -> None:
    answer = {**said, "items": records}
    assert "says that something failed" in fails(server, answer, records="$.items", pagination={"by": "page"})
    within = {"data": {**said, "items": records}}
    assert "says that something failed" in fails(server, within, records="$.data.items", pagination={"by": "page"})


@pytest.mark.parametrize("said", WELL, ids=json.dumps)
def test_what_only_looks_like_an_error_is_none(server: Server, said: dict[str, Any]) -> None:
    record = {"id": 1, "errors": ["x"], "success": False, "status": "failed"}
    server.paths["/"] = lambda q, _: {**said, "items": [record] if q["page"] == "1" else []}
    assert ids(read(source(server.at("/"), records="$.items", pagination={"by": "page"}))[0]) == [1]


def test_an_error_on_a_later_page_can_be_tried_again(server: Server) -> None:
    server.paths["/"] = lambda q, _: (
        {"items": [{"id": 1}]} if q["page"] == "1" else {"items": None, "errors": ["timeout"]}
    )
    with pytest.raises(SourceUnavailable, match="`errors`"):
        read(source(server.at("/"), records="$.items", pagination={"by": "page"}))


TOLD: list[Any] = [
    {"total": 9, "limit": 2}, {"total": 9}, {"totalCount": 9}, {"meta": {"total": 9}}, {"page": {"totalElements": 9}},
    {"meta": {"pagination": {"total": 9}}}, {"count": 9, "next": None}, {"@odata.count": 9},
    {"total": {"value": 9, "relation": "eq"}, "size": 2},
]  # fmt: skip
NOT_TOLD: list[Any] = [
    {"total": 1250, "currency": "DKK"}, {"count": 2}, {"count": 2, "next": None}, {"total": 0, "limit": 2},
    {"total": "nine"}, {"total": -1, "limit": 2}, {"total": {"value": 9, "relation": "gte"}, "size": 2},
]  # fmt: skip


@pytest.mark.parametrize("told", TOLD, ids=json.dumps)
def test_fewer_records_than_told_are_an_error(server: Server, told: dict[str, Any]) -> None:
    answer = {**told, "items": PEOPLE[:2]}
    assert "tells of" in fails(server, answer, records="$.items")
    server.paths["/"] = lambda q, _: {**told, "items": PEOPLE[:2] if q["page"] == "1" else []}
    with pytest.raises(SourceUnreadable, match="tells of"):
        read(source(server.at("/"), records="$.items", pagination={"by": "page"}))
    assert len(read(source(server.at("/"), records="$.items", pagination={"by": "page"}, total="none"))[0]) == 2


@pytest.mark.parametrize("told", NOT_TOLD, ids=json.dumps)
def test_a_number_that_means_something_else_is_no_total(server: Server, told: dict[str, Any]) -> None:
    server.paths["/"] = lambda q, _: {**told, "items": PEOPLE[:2]}
    assert len(read(source(server.at("/"), records="$.items"))[0]) == 2


def test_fewer_pages_than_told_are_an_error(server: Server) -> None:
    for more in ({"total_pages": 5}, {"pages": 5, "page": 1}, {"pagination": {"pages": 5}}):
        assert "tells of 5 pages and gives 1" in fails(server, {"items": PEOPLE, **more}, records="$.items")
    assert "tells of 5 pages and gives 1" in fails(server, (200, {"X-Total-Pages": "5"}, PEOPLE))


def test_a_total_is_looked_for_where_the_file_says(server: Server) -> None:
    server.paths["/"] = lambda q, _: {"items": PEOPLE[:2], "found": {"all": 3}}
    assert len(read(source(server.at("/"), records="$.items"))[0]) == 2
    with pytest.raises(SourceUnreadable, match="tells of 3 records and gives 2"):
        read(source(server.at("/"), records="$.items", total="$.found.all"))
    server.paths["/"] = lambda q, _: (200, {"X-Total-Count": "3"}, PEOPLE[:2])
    with pytest.raises(SourceUnreadable, match="tells of 3 records and gives 2"):
        read(source(server.at("/")))


def test_a_number_on_each_page_that_is_its_own_is_no_total(server: Server) -> None:
    def answer(query: Query, _: Server) -> Any:
        items = PEOPLE[(int(query["page"]) - 1) * 10 :][:10]
        return {"items": items, "total": len(items), "page": 1}

    server.paths["/"] = answer
    assert len(read(source(server.at("/"), records="$.items", pagination={"by": "page"}))[0]) == 25


@pytest.mark.parametrize("more", [{"next": "/more"}, {"meta": {"next_page": "2"}}, {"has_more": True},
                                  {"links": {"next": "/more"}}, {"@odata.nextLink": "/x"}], ids=json.dumps)  # fmt: skip
def test_a_page_that_says_more_follow_is_not_taken_for_the_list(server: Server, more: dict[str, Any]) -> None:
    answer = {**more, "items": PEOPLE[:2]}
    assert "has more pages" in fails(server, answer, records="$.items")
    assert "more pages follow" in fails(server, answer, records="$.items", pagination={"by": "link"})
    cursor = {"by": "cursor", "next": "$.nowhere", "parameter": "after"}
    assert "more pages follow" in fails(server, answer, records="$.items", pagination=cursor)


def test_empty_pages_in_the_middle_end_nothing(server: Server) -> None:
    pages = {1: PEOPLE[:4], 3: PEOPLE[4:8], 9: PEOPLE[8:9]}
    server.paths["/"] = lambda q, _: {"items": pages.get(int(q["page"]), [])}
    assert len(read(source(server.at("/"), records="$.items", pagination={"by": "page"}))[0]) == 8
    server.paths["/"] = lambda q, _: {"items": pages.get(int(q["page"]), []), "total": 9, "page": 1}
    assert len(read(source(server.at("/"), records="$.items", pagination={"by": "page"}))[0]) == 9


@pytest.mark.parametrize("status", [204, 404, 410, 416])
def test_a_status_after_the_last_page_ends_a_list(server: Server, status: int) -> None:
    over = (status, {}, b"")
    server.paths["/"] = lambda q, _: PEOPLE[int(q["offset"]) :][:10] or over
    assert len(read(source(server.at("/"), pagination={"by": "offset"}))[0]) == 25
    server.paths["/"] = lambda q, _: over if q["page"] == "2" else PEOPLE[(int(q["page"]) - 1) * 10 :][:10]
    if status == 204:  # an empty page
        assert len(read(source(server.at("/"), pagination={"by": "page"}))[0]) == 15
    else:
        with pytest.raises(SourceUnreadable, match="the next one has records"):
            read(source(server.at("/"), pagination={"by": "page"}))
    assert fails(server, over, SourceUnreadable if status in (204, 416) else SourceMissing, pagination={"by": "page"})


def test_a_list_that_becomes_shorter_while_it_is_read_is_tried_again(server: Server) -> None:
    left = list(PEOPLE)

    def answer(query: Query, _: Server) -> Any:
        if query["page"] == "2":
            del left[0]
        return {"items": left[(int(query["page"]) - 1) * 10 :][:10], "total": len(left), "page": 1}

    server.paths["/"] = answer
    with pytest.raises(SourceUnavailable, match="became shorter"):
        read(source(server.at("/"), records="$.items", pagination={"by": "page"}))


def test_records_on_two_pages_are_doubted_if_they_have_a_name(server: Server) -> None:
    for key, doubted in (("id", True), ("orderId", True), ("paid", False)):
        rows = [{key: n} for n in range(25)]  # the last of a page is the first of the next
        server.paths["/"] = lambda q, _, rows=rows: rows[int(q["page"]) * 3 - 3 :][:4]  # type: ignore[misc]
        found = [remark.doubt for remark in remarks(source(server.at("/"), pagination={"by": "page"})) if remark.text]
        assert set(found) == {doubted}


def test_a_record_nested_deeply_is_read_with_and_without_pages(server: Server) -> None:
    deep = b'[{"id": 1, "x": ' + b"[" * 700 + b"]" * 700 + b'}, {"id": 2}]'
    server.paths["/"] = lambda q, _: deep if q.get("page", "1") == "1" else []
    for pages in ({}, {"pagination": {"by": "page"}}):
        rows, _ = read(source(server.at("/"), **pages))
        assert ids(rows) == [1, 2]
        assert rows[0]["x"] == "[" * 700 + "]" * 700
