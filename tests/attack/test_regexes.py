"""No text from outside keeps a thread busy: each reader of text takes a time that grows with its length alone."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from api import asked, hosts, inputs, observe
from bot import drawing, grammar, typed, words
from bot.platforms.slack import blocks
from bot.platforms.teams import cards
from connectors import (
    _addresses,
    _calls,
    _columns,
    _dialect,
    _envelope,
    _header,
    _layout,
    _pages,
    _postgres_errors,
    postgres,
    rest,
)
from core import cron, kept, pipeline_file, secrets, settings
from core.errors import AtlasError
from core.pipeline import MistakeAt
from tests.attack.attempts import Attempts, Guard

LETTERS = 80_000
SECONDS = 1.0  # of this process; what holds takes a tenth of it
AT = _addresses.address("https://api.example/v1/people")
GUARDS = [
    Guard("connectors/_calls.py", "r'<([^<>]*)>((?:", "r'<([^>]*)>((?:",
          "test_regexes.py::test_hostile_text_is_read_in_a_moment"),
    Guard("connectors/_postgres_errors.py", "str(error)[:LONGEST]", "str(error)",
          "test_regexes.py::test_hostile_text_is_read_in_a_moment"),
    Guard("connectors/_addresses.py", '"127.0.0.0/8", "168.63.129.16/32",', '"127.0.0.0/8",',
          "test_regexes.py::test_no_metadata_service_of_a_cloud_is_reached"),
    Guard("connectors/_addresses.py", "(_is_literal(name) or not _within(found, _METADATA))", "True",
          "test_regexes.py::test_no_metadata_service_of_a_cloud_is_reached"),
]  # fmt: skip

PIECES = (
    "<", ">", "<>", "<a>;", '"', ";", "; ", ' next', ";rel=", ';rel="', "<a>;rel=", " ", "a ", "a", "1", "1.", "-", ":",
    ":1", "@", "a@b", ".", "..", "../", "[", "(1 ", "\t", "\n", "\r", "`", "`a", "<@a", "<#a|", "<at>", "<http://",
    "&lt;", "{", "*", "_", "\\", "æ", "\u200b", "=", "a=", "\0", "%", "$.a", "role ",
    "database ", "no pg_hba.conf entry ",
    "please ", "hey @a ", "https://", "vej ", "/", ",", "1-2,", "*/", "${secret:", "--", "sep=", "\u2013",
)  # fmt: skip
BEGINNINGS = ("", '<a>;x=";rel="', '"', "https://a")


def _link(*headers: str) -> str | None:
    return _calls.Answer(200, b"", AT, [(b"Link", header.encode("latin-1", "replace")) for header in headers]).next


def _told(text: str) -> None:
    with _postgres_errors.told("db"):
        raise psycopg.OperationalError(text)


def _names_in(text: str) -> None:
    postgres._NAME.fullmatch(text)
    settings._HOST.fullmatch(text)
    secrets._REFERENCE.search(text)
    hosts._HOST.fullmatch(text)
    asked._TIME.fullmatch(text)
    observe.GOOD.fullmatch(text)
    inputs._NOT_TEXT.search(text)


def _drawn(text: str) -> None:
    drawing._MARKED.sub("", text)
    blocks._CODE.sub("", text)
    cards._CODE.sub("", text)
    cards._BRACES.sub("", text)
    cards._MARKUP.sub("", text)
    words.clean(text)


def _cells(text: str) -> None:
    _header.kind(text)
    _header.judged([text, "1"], [[text[1:], "2"], ["a", "3"]])
    _layout._TOTAL.fullmatch(text)
    _dialect._SEP.match(text.encode())
    _dialect.re.sub(rb'"[^"]*"', b"", text.encode())
    _columns.fit(text)


READERS: dict[str, Callable[[str], Any]] = {
    "Link": lambda text: _link(text),
    "a key in an answer": lambda text: _envelope.failure({text: [text]}, "$.items", 0),
    "a key of a record": rest._NAMES_A_RECORD.fullmatch,
    "Retry-After": _calls._retry_after,
    "Location": lambda text: _addresses.address(_calls.urljoin(str(AT), text)),
    "host": _addresses.host,
    "header value": lambda text: _calls.sendable(text, "A"),
    "cursor token": lambda text: _pages.asking(AT, {"after": text}),
    "cursor": rest._earlier,
    "error of PostgreSQL": _told,
    "secret": lambda text: kept._DATABASE.search(text),
    "hosts of a secret": kept.hosts,
    "names": _names_in,
    "cells": _cells,
    "drawing": _drawn,
    "a line of chat": lambda text: grammar.parse(typed.plain(text[: typed.LONGEST]), []),
    "words of a line": lambda text: typed.words(text[: typed.LONGEST]),
    "schedule": cron.parse,
    "YAML": lambda text: pipeline_file._yaml_fault(_Fault(f'found duplicate key "{text}')),
}


class _Fault:
    def __init__(self, problem: str) -> None:
        self.problem, self.context = problem, None


@pytest.mark.parametrize("name", READERS)
def test_hostile_text_is_read_in_a_moment(attempts: Attempts, name: str) -> None:
    for piece in PIECES:
        took = 0.0
        for beginning in BEGINNINGS:
            start = time.process_time()
            with suppress(AtlasError, MistakeAt, ValueError):
                READERS[name](beginning + piece * (LETTERS // len(piece)) + "!")
            took = max(took, time.process_time() - start)
        attempts.tried("text that takes long", f"{name}: {piece!r}", held=took < SECONDS)
        if took >= SECONDS:
            return


def test_the_next_page_is_still_found_in_a_link() -> None:
    link = _link
    assert link('<https://a/2>; rel="next"') == "https://a/2"
    assert link("<https://a/1>; rel=prev, <https://a/2>; rel=next") == "https://a/2"
    assert link('<https://a/1>; rel="prev"', '<https://a/2>; title="a, b; c"; REL = "last Next"') == "https://a/2"
    assert link('<https://a/1>; title=";rel=next"; rel="prev"') is None
    assert link('<https://a/1>; rel="nextdoor"', "<https://a/1>; xrel=next", "", "next") is None


def test_a_time_to_wait_that_no_calendar_has_is_ignored() -> None:
    for value in ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "01 Jan 2020 00:00:00 +99999999999999999", "soon"):
        assert _calls._retry_after(value) is None


METADATA = (
    "168.63.129.16", "169.254.169.254", "169.254.170.2", "169.254.0.23", "100.100.100.200", "192.0.0.192",
    "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "::ffff:168.63.129.16",
    "64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "2002:a9fe:a9fe::1", "::169.254.169.254",
)  # fmt: skip
SPELLINGS = (
    "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "169.16689662",
    "2822734096", "0xa83f8110", "168.63.33040", "169.254.169.254.", "[::ffff:a9fe:a9fe%25lo]", "①⑥⑨.254.169.254",
)  # fmt: skip
NAMES = ("metadata.google.internal", "metadata", "instance-data", "metadata.azure.internal", "metadata.tencentyun.com")


def test_no_metadata_service_of_a_cloud_is_reached(attempts: Attempts) -> None:
    """Neither by its address, nor by a name that leads there, even one that the installation allows."""

    def reached(name: str, ip: str, *private: str) -> bool:
        try:
            return bool(_addresses.reachable(name, 80, private, lambda *_: [ip]))
        except AtlasError:
            return False

    for ip in METADATA:
        attempts.tried("metadata service", ip, held=not reached(ip, ip) and not _addresses.public(ip))
        for name in NAMES:
            attempts.tried("metadata service", f"{name} at {ip}", held=not reached(name, ip))
            attempts.tried("metadata service", f"{name} at {ip}, allowed", held=not reached(name, ip, name))
    for spelling in SPELLINGS:
        try:
            _addresses.address(f"http://{spelling}/latest")
            held = False
        except ValueError:
            held = True
        attempts.tried("metadata service", f"spelled {spelling}", held=held)
    assert reached("crm.internal", "10.0.0.7", "crm.internal")
    assert reached("169.254.169.254", "169.254.169.254", "169.254.169.254/32")
