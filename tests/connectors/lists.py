"""REST APIs made by a seed: a list cut into pages in one of the usual ways, one fault, and what is right to publish."""

import json
import random
from typing import Any

from tests.mocks.source import Query, Server

HOW = ("page", "offset", "token", "address", "link", "one")
FAULTS = (
    "none", "none", "none", "a page comes twice", "the list shifts", "a record is doubled", "an empty page",
    "the list is null at the end", "null and errors", "an error in 200", "204 at the end", "404 at the end",
    "404 in the middle", "the total is too high", "the total is too low", "the links go round", "rows are deleted",
    "some are hidden", "fewer than asked for", "500 once", "there is more", "nested deeply", "404 at once",
)  # fmt: skip
OF_ONE_PAGE = ("none", "an error in 200", "null and errors", "there is more", "nested deeply", "404 at once",
               "the total is too high")  # fmt: skip
ERRORS: tuple[dict[str, Any], ...] = (
    {"errors": [{"message": "upstream timeout"}]}, {"error": "not allowed"}, {"success": False}, {"ok": False},
    {"status": "error", "message": "no"}, {"error": {"code": 17, "message": "x"}},
)  # fmt: skip
HARMLESS: tuple[dict[str, Any], ...] = (
    {}, {}, {"errors": []}, {"error": None}, {"success": True, "status": "ok"}, {"errors": {}, "warnings": ["slow"]},
    {"error": {"code": 0, "message": "OK"}}, {"status": 200}, {"took": 17, "timed_out": False},
)  # fmt: skip


class Listed:
    """One API. `source` is what its pipeline says, `must` the rows to publish by id, `may` such as may be there too."""

    def __init__(self, seed: int) -> None:
        self.random = pick = random.Random(seed)
        self.how, self.fault = pick.choice(HOW), pick.choice(FAULTS)
        self.size = pick.randint(2, 6)
        self.rows = [{"id": 1000 + n, "v": pick.choice(["a", "b", None, "", " c "]), "errors": []}
                     for n in range(pick.randint(self.size + 1, 5 * self.size))]  # fmt: skip
        self.list = list(self.rows)
        self.keyed = pick.random() < 0.6
        self.told = pick.choice([None, None, "total", "meta", "header", "pages"])
        self.sized = pick.random() < 0.5
        self.bare = self.how in ("page", "offset", "link") and self.told in (None, "header") and pick.random() < 0.3
        self.more = pick.choice(HARMLESS)
        self.at = pick.randint(2, max(2, len(self.rows) // self.size))  # the page at which it goes wrong, from 1
        self.error = pick.choice(ERRORS)
        self.must = {row["id"]: row for row in self.rows}
        self.may: set[int] = set()
        self.asked = 0
        self._prepare()

    def _prepare(self) -> None:
        if self.how == "one" and self.fault not in OF_ONE_PAGE:
            self.fault = "none"
        if self.fault in ("the list shifts", "rows are deleted", "some are hidden", "fewer than asked for",
                          "404 at the end", "204 at the end", "404 in the middle"):  # fmt: skip
            self.how = self.how if self.how in ("page", "offset") else "offset"
        if self.fault == "the links go round":
            self.how = self.how if self.how in ("token", "address", "link") else "token"
        if self.fault == "rows are deleted":  # without a total nobody could see it
            self.told = self.told if self.told in ("total", "header") else "total"
        if self.fault == "an error in 200" and self.how == "one":
            self.at = 1
        if self.fault == "null and errors":
            self.at = 1 if self.how == "one" else self.at
        if self.fault in ("null and errors", "an error in 200", "the list is null at the end"):
            self.bare = False
        if self.fault in ("the total is too high", "the total is too low"):
            self.told = self.told if self.told in ("total", "meta", "header") else "meta"
        if self.fault == "nested deeply":
            self.rows[1]["deep"] = json.loads("[" * 300 + "]" * 300)
        if self.bare and self.told not in (None, "header"):
            self.told = None
        if self.fault == "some are hidden":
            for row in self.random.sample(self.rows, 2):
                self.must.pop(row["id"])
        if self.fault == "a record is doubled":
            row = self.random.choice(self.rows)
            self.list.insert(self.random.randint(0, len(self.list)), {**row})
        if self.how == "one":
            self.size = 1000

    def source(self, server: Server) -> str:
        pages: dict[str, Any] = {
            "page": {"by": "page"}, "offset": {"by": "offset"}, "link": {"by": "link"},
            "token": {"by": "cursor", "next": "$.meta.next", "parameter": "after"},
            "address": {"by": "cursor", "next": "$.links.next"},
        }.get(self.how, {})  # fmt: skip
        if self.sized and pages:
            pages |= {"size": self.size, "size_parameter": "limit"}
        said = {"connector": "rest", "url": server.at("/list"), "records": "$" if self.bare else "$.items"}
        said |= {"pagination": pages} if pages else {}
        return f"source: {json.dumps(said)}\n" + ("key: [id]\n" if self.keyed else "")

    def answer(self, query: Query, server: Server) -> Any:
        self.asked += 1
        place = {"page": (int(query.get("page", 1)) - 1) * self.size}.get(
            self.how, int(query.get("offset") or query.get("after") or query.get("at") or 0))  # fmt: skip
        page = place // self.size + 1
        wrong = page == self.at or (self.fault == "rows are deleted" and page > 1 and len(self.list) == len(self.rows))
        length = 2 if self.fault == "fewer than asked for" and self.how == "offset" else self.size
        if wrong and self.fault == "500 once" and not self.asked > 100:
            self.asked = 101
            return 500, {"Retry-After": "0"}, b""
        if self.fault == "404 at once" or (wrong and self.fault == "404 in the middle"):
            return 404, {}, {"detail": "Invalid page."}
        if wrong and self.fault == "the list shifts" and len(self.list) == len(self.rows):
            self.list.insert(0, {"id": 1, "v": "new", "errors": []})
            self.may.add(1)
        if wrong and self.fault == "rows are deleted":
            gone = self.list.pop(0)
            self.may.add(gone["id"])
            self.must.pop(gone["id"])
        if wrong and self.fault == "a page comes twice":
            place -= self.size if place >= self.size else 0
        rows: Any = self.list[place : place + length]
        following = place + length if place + length < len(self.list) else None
        if self.fault == "a page comes twice" and wrong and self.how not in ("page", "offset"):
            following = place + 2 * length if place + 2 * length < len(self.list) else None
        if not rows and place and self.fault in ("204 at the end", "404 at the end"):
            return (204, {}, b"") if self.fault.startswith("204") else (404, {}, {"detail": "Invalid page."})
        if self.fault == "some are hidden":
            rows = [row for row in rows if row["id"] in self.must]
        if wrong and self.fault == "an empty page" and place < len(self.list):
            for row in rows:
                self.must.pop(row["id"], None)  # they are hidden
            rows = []
        return self._page(rows, place, following, wrong, server)

    def _page(self, rows: Any, place: int, following: int | None, wrong: bool, server: Server) -> Any:
        total = len(self.list)
        if self.fault == "an empty page":
            total -= min(self.size, max(0, len(self.list) - (self.at - 1) * self.size))
        total += {"the total is too high": 3, "the total is too low": -2}.get(self.fault, 0)
        body: dict[str, Any] = {**self.more, "items": rows}
        headers = {"X-Total-Count": str(total)} if self.told == "header" else {}
        if self.told == "total":
            body |= {"total": total, "limit": self.size}
        elif self.told == "meta":
            body["meta"] = {"total": total}
        elif self.told == "pages":
            body["total_pages"] = -(-len(self.list) // self.size)
        if self.fault == "the links go round" and wrong:
            following = 0
        if self.how == "token":
            body.setdefault("meta", {})["next"] = following
        if self.how == "address":
            body["links"] = {"next": following and server.at(f"/list?at={following}")}
        if self.how == "link" and following is not None:
            headers["Link"] = f'<{server.at(f"/list?at={following}")}>; rel="next"'
        if self.how == "one" and self.fault == "there is more":
            body["next"] = server.at("/list?at=1")
        if self.fault == "the list is null at the end" and not rows:
            body["items"] = None
        if wrong and self.fault == "null and errors":
            body |= {"items": None, "errors": [{"message": "upstream timeout"}]}
        if wrong and self.fault == "an error in 200":
            body |= self.error | {"items": []}
        return 200, headers, body["items"] if self.bare else body
