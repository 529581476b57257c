"""User names of people on a system, told by the name of the column or the words before."""

import polars as pl

from engine.chart.recognizer import Recognizer
from engine.chart.shape import choose, tiers

_SAID = (
    r"(?i)\b(?:brugernavn(?:et)?|bruger(?:en)?|username|user ?name|user|login|log-in|konto|account|handle|logget ind som|logged in as|"
    r"signed in as|alias|nick(?:name)?|bruger-id|user ?id)(?: (?:is|er|named|called))?[\s:='\x22“(@]{1,4}$"
)
_FORM = r"^(?:[a-z][a-z0-9]*(?:[._-][a-z0-9]+)+|[a-z]+\d+|@[\w.]{3,30})$"


def score(values: pl.Series) -> pl.Series:
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
    return choose((said & value.str.contains(_FORM).fill_null(False)) | mention, 0.8, 0.0)


recognizer = Recognizer(
    "USERNAME",
    rank=97,
    score=score,
    header=r"\b(?:user ?names?|brugernavn|brugerid|login|login ?(?:name|id)|logon|sam ?account ?name|upn|handle|screen ?name|nick ?name|"
    r"user ?login|bruger ?id|ad ?user|uname|account ?name)\b",
    weak_header=r"\b(?:user|bruger|userid|user id|author|oprettet af|created by|modified by|ændret af)\b",
    not_header=r"\b(?:agent|group|role|type|count|at|date|dato|time|last|sidste|status|attempts?|company)\b",
    span=r"@?\b[a-z][a-z0-9]*(?:[._-][a-z0-9]+)+\b|\b[a-z]+\d+\b|@\w[\w.]{2,29}",
    judge=judge,
)
