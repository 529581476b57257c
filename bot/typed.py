"""What people and platforms type, made plain: quotes, mentions, links, invisible characters, politeness."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 4_000

_QUOTES = str.maketrans("“”„‟«»‘’‚‛′", '""""""\'\'\'\'\'')
_ENTITIES = (("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_LINK = re.compile(r"<(?:mailto:|tel:|https?://)([^<>|]*)(?:\|([^<>|]*))?>")
_CHANNEL = re.compile(r"<#\w+(?:\|([^<>|]*))?>")
_PERSON = re.compile(r"<@(\w+)(?:\|[^<>|]*)?>")
_TEAMS = re.compile(r"<at[^<>]{0,100}>[^<>]{0,100}</at>", re.IGNORECASE)
_ADDRESSED = re.compile(
    r"(?:(?:hey|hi|hello)[ ,]+)?(?:/atlas\b|@atlas\b|atlas(?=[ ,:])|@\w+(?=\s))[ ,:]*", re.IGNORECASE
)
_POLITE = re.compile(
    r"(?:please|pls|kindly|ok|okay|(?:can|could|would|will) you|i (?:want|would like|'d like) to|let's|lets)[ ,]+",
    re.IGNORECASE,
)
_DASHES = re.compile(r"(?<!\S)[–—](?=[A-Za-z])")
_END = ".,;:!?…"


@dataclass(frozen=True)
class Typed:
    """One word of a line; quoted words stand for themselves, whatever they look like."""

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        return f'"{self.text}"' if not self.text or (re.search(r"[\s.\"]", self.text) and self.quoted) else self.text


def plain(line: str) -> str:
    """The line without what a platform or a keyboard added to it."""
    line = unicodedata.normalize("NFC", _unwrapped(line).translate(_QUOTES))
    line = "".join(_visible(c) for c in line)
    line = _DASHES.sub("--", " ".join(line.split()))
    if len(line) > 1 and line[0] == line[-1] == "`":
        line = line[1:-1].strip()
    before = None
    while before != line:
        before = line
        line = _ADDRESSED.sub("", line, count=1) if _ADDRESSED.match(line) else line
        line = _POLITE.sub("", line, count=1) if _POLITE.match(line) else line
    return line


def reason(line: str) -> str | None:
    """What stands after `because`, to the letter: it is kept as evidence. None if there is no such word."""
    found = re.search(r"\sbecause\s+(.*)", "".join(_visible(c) for c in _unwrapped(line)), re.IGNORECASE)
    return found[1].rstrip() or None if found else None


def _unwrapped(line: str) -> str:
    """The line without what a platform put around links and names."""
    for entity, character in _ENTITIES:
        line = line.replace(entity, character)
    line = _TEAMS.sub(" ", line)
    line = _LINK.sub(lambda m: m[2] or m[1], line)
    line = _CHANNEL.sub(lambda m: f"#{m[1]}" if m[1] else " ", line)
    return _PERSON.sub(r"@\1", line)


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cc":
        return " "
    return "" if kind in ("Cf", "Cs") else character


def words(line: str) -> list[Typed]:
    """The words of a plain line; what stands in quotes is one word, a lone quote or an apostrophe is a character."""
    found: list[Typed] = []
    for raw in re.findall(r"""(?<!\S)'[^'"]*'(?!\S)|(?:"[^"]*"|\S)+""", line):
        if len(raw) > 1 and raw[0] == raw[-1] == "'":
            raw = f'"{raw[1:-1]}"'
        quoted = re.search(r'"[^"]*"', raw) is not None
        text = re.sub(r'"([^"]*)"', r"\1", raw)
        text = text if quoted else text.strip("`").rstrip(_END)
        if text or quoted:
            found.append(Typed(text, quoted))
    if line and not found:
        found.append(Typed(line))  # a lone question mark
    while len(found) > 1 and not found[-1].quoted and found[-1].text.casefold() in ("please", "pls", "thanks"):
        found.pop()
    return found
