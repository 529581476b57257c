"""The words of a column name: `kundeEMail`, `KUNDE_E-MAIL` and `kunde.e-mail` say the same."""

import re
import unicodedata
from functools import cache

_CAMEL = re.compile(r"(?<=[a-zæøå0-9])(?=[A-ZÆØÅ])|(?<=[A-ZÆØÅ])(?=[A-ZÆØÅ][a-zæøå])")
_OTHER = re.compile(r"[^a-zæøåäöüé]+")
_JOINED = (("e mail", "email"), ("mail adresse", "mailadresse"), ("i p", "ip"), ("log in", "login"))


@cache
def words(header: str) -> str:
    """The words in lower case with single spaces, digits dropped, umlauts kept and `oe`, `aa`, `ae` left as written."""
    plain = unicodedata.normalize("NFC", header)
    text = " ".join(_OTHER.sub(" ", _CAMEL.sub(" ", plain).lower()).split())
    for apart, joined in _JOINED:
        text = re.sub(rf"\b{apart}\b", joined, text)
    return text
