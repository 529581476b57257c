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


_BUSINESS = re.compile(
    r"\b(?:code|kode|hs|sku|ean|gtin|upc|gln|isbn|varenr|varenummer|item|vare|product|produkt|qty|antal|quantity|price|pris|amount|beløb|"
    r"total|sum|saldo|serial|serienr|batch|lot|ordre\w*|order|faktura\w*|invoice|bilag|version|ver|fw|firmware|tracking|shipment|parcel|"
    r"ticket|model|weight|vægt|size|temp|lat|lon|lng|currency|valuta|kundenr|medarb|device|iccid|imei|hash|checksum|uuid|guid|tariff|"
    r"postnr|zip|postal|cost|moms|tax|rate|score|count|bytes|duration|milliseconds|ms|year|month|quarter)\b"
)


@cache
def business(words_: str) -> bool:
    """Whether a column name names a thing of trade or technology, whatever its values look like."""
    return _BUSINESS.search(words_) is not None
