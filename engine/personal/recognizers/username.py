"""User names of people on a system, told by the name of the column or the words before."""

import polars as pl

from engine.personal import lexicon, names
from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_SAID = (
    r"(?i)\b(?:brugernavn(?:et)?|bruger(?:en)?|username|user ?name|user|login|log-in|konto|account|handle|logget ind som|log(?:s|ged|ger|get)? (?:in|på|ind) (?:as|som)|ping|(?:login|logon|password|adgangskode|account|session|access|adgang|mailbox|profil)(?: reset| requested| nulstillet)* (?:for|til|of|af)|"
    r"signed in as|alias|nick(?:name)?|bruger-id|user ?id)(?: (?:is|er|named|called))?[\s:='\x22“(@]{1,4}$"
)
_FORM = r"^(?:[a-z][a-z0-9]*(?:[._-][a-z0-9]+)+|[a-z]+\d+|@[\w.]{3,30})$"


def score(values: pl.Series) -> pl.Series:
    """By form, and by the names that user names are made of: `ida.holm`, `iholm`, `ida87`."""
    shaped = _form(values)
    parts_ = values.str.extract_groups(r"^([a-z])?([a-z]+?)(?:[._-]([a-z]{2,}))?\d{0,4}$").struct.unnest()
    one, two, three = (pl.col(str(n)) for n in (1, 2, 3))
    whole = one.fill_null("") + two
    here = pl.concat([parts_["2"], parts_["3"].rename("2"), parts_.select(whole.alias("2")).to_series()]).unique()
    first, last = lexicon.among(here, *names.FIRST), lexicon.among(here, *names.LAST)
    common = lexicon.among(here, *names.COMMON)
    some = parts_.select(
        pl.when(three.is_not_null())
        .then(
            pl.when(whole.is_in(first.implode()) | three.is_in(last.implode()) | three.is_in(first.implode())).then(
                0.62
            )
        )
        .when((two.str.len_chars() > 3) & two.is_in(last.implode()))
        .then(0.52)
        .when((two.str.len_chars() > 2) & whole.is_in(first.implode()))
        .then(0.52)
        .fill_null(0.0)
    ).to_series()
    everyday = (parts_["1"].fill_null("") + parts_["2"]).is_in(common.implode()) & parts_["3"].is_null()
    return choose((some > shaped) & ~everyday.fill_null(False), some, shaped)


def _form(values: pl.Series) -> pl.Series:
    return tiers(
        values,
        (r"^@[A-Za-z0-9_.]{3,30}$", 0.5),
        (r"^(?:[A-Z]+\\)[A-Za-z0-9._-]+$", 0.6),
        (r"^[a-zæøå]{2,}[._-][a-zæøå]{2,}\d{0,4}$|^[a-zæøå]{2,10}\d{1,4}$", 0.3),
        (r"^[A-Za-zÆØÅæøå][A-Za-zÆØÅæøå0-9._-]{1,30}$", 0.15),
        (r"^[A-Za-z0-9._@-]{3,30}[A-Za-z][A-Za-z0-9._@-]*$", 0.1),
    )


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    said = before.str.contains(_SAID).fill_null(False)
    mention = value.str.contains(r"^@").fill_null(False) & ~before.str.contains(r"[\p{L}\d.]$").fill_null(False)
    like = value.str.contains(_FORM).fill_null(False) | (score(value) >= 0.45)
    return choose((said & like) | mention, 0.8, 0.0)


recognizer = Recognizer(
    "USERNAME",
    rank=97,
    score=score,
    header=r"\b(?:user ?names?|brugernavn|brugerid|login|login ?(?:name|id)|logon|sam ?account ?name|upn|handle|screen ?name|nick ?name|"
    r"user ?login|bruger ?id|ad ?user|uname|account ?name)\b",
    weak_header=r"\b(?:actor|principal|operator|operatør|initiator|performed by|subject|who|hvem|bidder|budgiver|player|spiller|user|bruger|userid|user id|author|oprettet af|created by|modified by|ændret af)\b",
    not_header=r"\b(?:agent|group|role|type|count|at|date|dato|time|last|sidste|status|attempts?|company)\b",
    span=r"@?\b[a-z][a-z0-9]*(?:[._-][a-z0-9]+)+\b|\b[a-z]+\d+\b|@\w[\w.]{2,29}",
    judge=judge,
)
