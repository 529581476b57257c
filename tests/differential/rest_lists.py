"""Made REST APIs on a real HTTP server: known records, given out page by page, with the faults of real ones."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.differential.reading import Outcome, Reader
from tests.differential.rest_records import Record, columns, records
from tests.differential.truth import TWICE, Table, Verdict, judge

COUNT = 300
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """A server on loopback that answers as the case of the moment does."""

    def __init__(self) -> None:
        self.case: Case | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                at = urlsplit(self.path)
                asked = {name: values[-1] for name, values in parse_qs(at.query, keep_blank_values=True).items()}
                assert outer.case is not None
                status, headers, body = outer.case.answer(at.path, asked)
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                length = len(body) + (40 if "X-Cut" in headers else 0)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)
                if "X-Cut" in headers:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


SERVERS: list[Server] = []


@contextmanager
def beside() -> Iterator[dict[str, str]]:
    """A server as long as it is needed; the settings with which Atlas may read from it."""
    SERVERS.append(Server())
    try:
        yield {"ATLAS_REST_ALLOW_PRIVATE": "127.0.0.1"}
    finally:
        SERVERS.pop().close()


@dataclass
class Api:
    """How an API gives out its list."""

    paging: str = "none"  # none, page, offset, token, address, link
    envelope: str = "$"  # where the list is
    size: int = 5
    first: int = 1
    total: str | None = None  # what it is called, if the answer tells how many records there are
    pages: str | None = None  # likewise, how many pages
    end: str = "empty"  # what comes after the last page: empty, 404, 204, null, repeats
    fault: str = ""
    at: int = 2  # the page of the fault, counted from 1
    filters: bool = True  # whether it knows what `since` means
    gzip: bool = False
    bom: bool = False


@dataclass
class Step:
    """A state of the source, and what is right after a run over it."""

    list_: list[Record]  # as the API has them, the fault's doubles included
    hidden: set[int] = field(default_factory=set)  # places in the list that nobody is shown
    nulls: set[int] = field(default_factory=set)  # places in the list without a record
    right: list[Record] = field(default_factory=list)


@dataclass
class Case:
    """A pipeline over an API, and the truth after each run."""

    number: int
    api: Api
    source: str
    more: str
    steps: list[Step]
    quirks: list[str]
    keyed: bool
    cursor: str | None
    must_say: str = ""
    refusal: bool = False
    must_refuse: bool = False
    now: int = 0
    asked: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"t{self.number}"

    def read(self, reader: Reader) -> tuple[Outcome, Verdict]:
        server = SERVERS[-1]
        server.case = self
        source = self.source.replace("PORT", str(server.port))
        reader.write(self.name, source, more=self.more)
        try:
            for now, step in enumerate(self.steps):
                self.now = now
                self.asked = 0
                self.log.append(f"run {self.now + 1}")
                outcome = reader.run(self.name)
                verdict = self.judged(step, outcome)
                if verdict.status != "equal":
                    break
        finally:
            reader.forget(self.name)
        return outcome, verdict

    def judged(self, step: Step, outcome: Outcome) -> Verdict:
        quirks = [*self.quirks, *([f"run {self.now + 1}"] if self.now else [])]
        right = step.right or step.list_
        table = Table(columns(right), quirks=quirks, order=False, must_say=self.must_say if self.now == 0 else "")
        table.refusal, table.doubles = self.refusal or self.must_refuse, not self.keyed
        verdict = judge(table, outcome)
        if self.must_refuse and outcome.state == "succeeded" and verdict.status == "equal":
            return replace(verdict, status="different", kind=f"error taken for data [{'+'.join(quirks)}]")
        return verdict

    def shape(self) -> str:
        told = [f"source: {self.source}", f"more: {self.more}", f"api: {self.api}", f"quirks: {', '.join(self.quirks)}"]
        step = self.steps[self.now]
        told += [f"  {record.text()}"[:300] for record in step.list_[:8]]
        return "\n".join([*told, "asked and answered:", *(f"  {line}"[:240] for line in self.log[-30:])])

    def answer(self, path: str, asked: dict[str, str]) -> Answer:
        """What the API answers."""
        self.asked += 1
        given = self._answer(path, asked)
        body = gzip.decompress(given[2]) if given[1].get("Content-Encoding") else given[2]
        self.log.append(f"{path} {asked} → {given[0]} {given[1]} {body[:150]!r}")
        return given

    def _answer(self, path: str, asked: dict[str, str]) -> Answer:
        api, step = self.api, self.steps[self.now]
        if api.fault in ("503 once", "429 once", "cut once") and self.asked == api.at:
            if api.fault == "cut once":
                return 200, {"X-Cut": "1"}, b'[{"id": '
            return int(api.fault[:3]), {"Retry-After": "0"}, b'{"error": "busy"}'
        shown = [(n, record) for n, record in enumerate(step.list_)]
        if self.cursor and api.filters and "since" in asked:
            shown = [(n, r) for n, r in shown if r.since(self.cursor, asked["since"])]
        size = int(asked.get("size", api.size))
        if api.fault == "capped":
            size = min(size, api.size)
        begin = {
            "none": lambda: 0,
            "page": lambda: (int(asked.get("page", api.first)) - api.first) * size,
            "offset": lambda: int(asked.get("offset", 0)),
        }.get(api.paging, lambda: int(asked.get("after", asked.get("at", "0")).removeprefix("t/+")))()
        size = len(shown) if api.paging == "none" else size
        page = begin // size + 1 if size else 1
        past = begin >= len(shown) and (begin > 0 or api.paging == "none")
        if api.end == "repeats" and past:
            begin, past = (len(shown) - 1) // size * size, False
        if past and api.end in ("404", "204"):
            return (404, {}, b'{"detail": "Invalid page."}') if api.end == "404" else (204, {}, b"")
        here = ["null" if n in step.nulls else record.text() for n, record in shown[begin : begin + size]
                if n not in step.hidden]  # fmt: skip
        return self._page(here, begin, size, page, len(shown), past)

    def _page(self, texts: list[str], begin: int, size: int, page: int, many: int, past: bool) -> Answer:
        api, headers = self.api, {}
        faulty = page == api.at
        if (api.fault == "empty page" and faulty) or (api.fault == "ends early" and page >= api.at):
            texts = []
        if faulty and api.fault == "html":
            return 200, {"Content-Type": "text/html"}, b"<html><body>Sign in</body></html>"
        if faulty and api.fault == "401":
            return 401, {}, b'{"message": "token expired"}'
        if faulty and api.fault == "error in 200":
            return 200, {}, b'{"error": {"code": 500, "message": "upstream timeout"}}'
        rows = f"[{', '.join(texts)}]"
        if (past and api.end == "null") or (faulty and api.fault == "null and errors"):
            rows = "null"
        if faulty and api.fault == "error beside an empty list":
            rows = "[]"
        more: dict[str, Any] = {}
        last = begin + size >= many
        if api.total:
            more[api.total] = many
        if api.pages:
            more[api.pages] = -(-many // size)
            more["page"] = page
        if faulty and api.fault in ("null and errors", "error beside an empty list"):
            more["errors"] = [{"message": "upstream timeout"}]
        following = begin + size
        if api.paging == "token":
            more["next"] = f"t/+{following}" if not last else [None, "", None][self.number % 3]
            if last and self.number % 3 == 2:
                del more["next"]
            if api.fault == "the same token again" and faulty:
                more["next"] = f"t/+{begin}"
        address = f"http://127.0.0.1:{SERVERS[-1].port}/list?at={following}"
        if self.number % 2:
            address = f"/list?at={following}"
        if api.fault == "another host" and faulty:
            address = address.replace("127.0.0.1", "127.0.0.2") if "127" in address else f"http://127.0.0.2:1{address}"
        if api.paging == "address":
            more["next"] = address if not last else None
        if api.paging == "link" and not last:
            headers["Link"] = f'</list?at=0>; rel="first", <{address}>; rel="next"'
        envelope = api.envelope.removeprefix("$").strip(".").split(".") if api.envelope != "$" else []
        body = rows
        if envelope:
            told = json.dumps(more)[1:-1]
            body = f'{{"{envelope[-1]}": {rows}{", " if told else ""}{told}}}'
            if len(envelope) == 2:
                body = f'{{"{envelope[0]}": {{"{envelope[1]}": {rows}}}{", " if told else ""}{told}}}'
        content = (b"\xef\xbb\xbf" if api.bom else b"") + body.encode()
        if api.gzip:
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content)
        return 200, headers, content


MUST_REFUSE = (
    "null and errors",
    "error in 200",
    "error beside an empty list",
    "html",
    "401",
    "another host",
    "the same token again",
)


def make(seed: int, number: int) -> Case:
    """The case of this number; the same for the same seed."""
    r = Random(f"rest {seed} {number}")
    paging = r.choices(("none", "page", "offset", "token", "address", "link"), (8, 28, 24, 16, 12, 12))[0]
    api = Api(paging, size=r.randint(2, 6), first=r.choice((1, 1, 0)) if paging == "page" else 1)
    needs = paging in ("token", "address")
    api.envelope = r.choice(
        ("$.items", "$.data.results", "$.value") if needs else ("$", "$", "$.items", "$.data.results")
    )
    if api.envelope != "$" and r.random() < 0.5:
        api.total = r.choice(("total", "count", "totalCount", "total_count"))
    if api.envelope != "$" and paging == "page" and r.random() < 0.4:
        api.pages = r.choice(("total_pages", "pages", "totalPages"))
    if paging in ("page", "offset"):
        api.end = r.choices(("empty", "404", "204", "null"), (65, 15, 12, 8 if api.envelope != "$" else 0))[0]
    api.gzip, api.bom = r.random() < 0.1, r.random() < 0.05
    keyed, incremental = r.random() < 0.6, r.random() < 0.45
    keyed |= incremental
    many = r.randint(api.size + 1, api.size * 5)
    list_ = records(r, many, times=incremental)
    case = Case(number, api, "", "", [Step(list_)], [f"paging {paging}"], keyed, None)
    _fault(r, case, list_)
    if incremental and not case.must_refuse:
        _later(r, case, list_)
    if api.end != "empty":
        case.quirks.append(f"ends with {api.end}")
    case.quirks += [fault for fault in ("gzip", "bom") if getattr(api, fault)]
    _written(r, case)
    return case


def _fault(r: Random, case: Case, list_: list[Record]) -> None:
    api, paged = case.api, case.api.paging != "none"
    told = bool(api.total or api.pages) and api.envelope != "$"
    faults = ["", "", "", "", "503 once", "429 once", "cut once", "a record that is none", "html", "401"]
    if paged:
        faults += [*["doubled"] * 4, "error in 200"]
    if paged and api.envelope != "$":
        faults += ["null and errors", "error beside an empty list"] * 2
    if told and api.paging in ("page", "offset"):
        faults += ["empty page"] * 5
    if api.paging in ("token", "address", "link"):
        faults += ["empty page"]
    if api.paging in ("address", "link"):
        faults += ["another host"]
    if api.paging == "token":
        faults += ["the same token again"]
    if api.paging == "offset":
        faults += ["hidden"] * 8
    if api.paging == "offset" and told:
        faults += ["capped"] * 12
    if api.paging == "page":
        faults += ["repeats"] * 3
    api.fault = fault = r.choice(faults)
    pages = -(-len(list_) // api.size)
    if not fault and told and api.paging in ("page", "offset") and api.end == "empty" and pages > 2:
        api.fault = fault = "ends early"
    api.at = r.randint(2, max(2, pages - 1)) if paged else 1
    if fault == "empty page" and api.at >= pages:
        api.fault = fault = ""
    if fault == "error in 200" and api.at >= pages and paged:
        api.at = pages
    case.must_refuse = fault in MUST_REFUSE
    step = case.steps[0]
    if fault == "doubled":
        at = r.randint(api.size, len(list_) - 1)
        old, which = at - r.randint(1, min(api.size, at)), r.random() < 0.6
        twin = list_[old].changed(r) if which else list_[old]
        step.list_ = [*list_[:at], twin, *list_[at:]]
        step.right = [*list_[:old], twin, *list_[old + 1 :]] if case.keyed else []
        if case.keyed:
            case.must_say = rf"{TWICE}|\bkeys?\b|again"
            api.fault = "doubled, changed" if which else "doubled"
    elif fault == "hidden":
        step.hidden = set(r.sample(range(len(list_)), max(1, len(list_) // 5)))
        for begin in range(0, 0 if told else len(list_), api.size):  # an empty page would be the end
            if step.hidden.issuperset(range(begin, min(begin + api.size, len(list_)))):
                step.hidden.remove(begin)
        step.right = [record for n, record in enumerate(list_) if n not in step.hidden]
        if not told:
            case.refusal = True
    elif fault == "a record that is none":
        step.nulls = {r.randrange(1, len(list_))}
        step.right = [record for n, record in enumerate(list_) if n not in step.nulls]
    elif fault == "empty page":
        at = api.at
        step.right = [record for n, record in enumerate(list_) if n // api.size + 1 != at]
    elif fault == "ends early":
        step.right = list_[: (api.at - 1) * api.size]
        case.must_say = r"total|\d+ of \d+|fewer|announce|promise|missing|short of|says|tells"
        case.refusal = True
    elif fault == "repeats":
        api.end, case.refusal = "repeats", True
    elif fault == "another host" or (fault == "the same token again"):
        api.at = 1
    if api.fault:
        case.quirks.append(api.fault)


def _later(r: Random, case: Case, list_: list[Record]) -> None:
    """The source changes after the first run: some records are changed, some are new, one is gone."""
    if (
        case.steps[0].hidden
        or case.steps[0].nulls
        or case.api.fault in ("empty page", "ends early", "repeats")
        or case.api.fault.startswith("doubled")
    ):
        return
    case.cursor, case.api.filters = "updated_at", r.random() < 0.7
    case.quirks.append("incremental" if case.api.filters else "incremental, `since` is not known")
    changed = {n: list_[n].changed(r, later=True) for n in r.sample(range(len(list_)), r.randint(1, 3))}
    new = records(r, r.randint(1, 4), times=True, like=list_, later=True)
    gone = r.choice([n for n in range(len(list_)) if n not in changed]) if len(list_) > 4 and r.random() < 0.4 else None
    after = [changed.get(n, record) for n, record in enumerate(list_)]
    left = [record for n, record in enumerate(after) if n != gone]
    case.steps.append(Step([*left, *new], right=[*after, *new]))


def _written(r: Random, case: Case) -> None:
    """The pipeline file."""
    api = case.api
    size = {"none": "", "link": ""}.get(
        api.paging, f", size: {api.size}, size_parameter: size" if r.random() < 0.7 else ""
    )
    if api.fault == "hidden" or (api.fault == "capped"):
        asked = api.size if api.fault == "hidden" else api.size * 2
        size = f", size: {asked}, size_parameter: size"
    by = {
        "page": f"page, parameter: page, first: {api.first}", "offset": "offset, parameter: offset",
        "token": "cursor, next: $.next, parameter: after", "address": "cursor, next: $.next", "link": "link",
    }  # fmt: skip
    said = ["connector: rest", 'url: "http://127.0.0.1:PORT/list"', 'allow: ["127.0.0.1:PORT"]']
    said += [f"records: {api.envelope}"] if api.envelope != "$" or r.random() < 0.5 else []
    said += [f"pagination: {{by: {by[api.paging]}{size}}}"] if api.paging != "none" else []
    said += [f"cursor: {case.cursor}"] if case.cursor else []
    case.source = f"{{{', '.join(said)}}}"
    case.more = "key: [id]\n" if case.keyed else ""
