"""Street addresses: a street word with a house number, in Danish, English and the neighbours' spellings."""

import polars as pl

from engine.chart.recognizer import Recognizer
from engine.chart.shape import choose, tiers

_DANISH = (
    r"(?i:vej(?:en)?|gade(?:n)?|all[eé]en|all[eé]|stræde(?:t)?|boulevard(?:en)?|plads(?:en)?|torv(?:et)?|vænge(?:t)?|parken|haven|"
    r"toften|bakke(?:n)?|bakken|kaj(?:en)?|brygge(?:n)?|vang(?:en)?|agre|ager(?:en)?|marken|krogen|skrænten|lunden|engen|skellet|"
    r"stien|sti|højen|dalen|gården|gyden|kæret|buen|ringen|stien|lykke(?:n)?|kvarteret|esplanaden|promenaden|voldgade|strand(?:en)?|"
    r"straße|strasse|str\.|platz|weg|gatan|vägen|gata|gate(?:n)?|veien|vegen|straat|laan|gracht|katu|tie|ulica|utca)"
)
_ENGLISH = (
    r"(?i:street|st|road|rd|avenue|ave|av|lane|ln|drive|dr|court|ct|place|pl|square|sq|boulevard|blvd|way|terrace|close|crescent|"
    r"parkway|pkwy|highway|hwy|circle|cir|gardens|grove|mews|row|trail|trl|walk|green|hill|plaza|loop)"
)
_ROMANCE = (
    r"(?i:rue|avenue|av\.?|avda\.?|boulevard|bd\.?|bld\.?|place|chemin|via|viale|piazza|corso|calle|c/|plaza|paseo|rua|avenida|"
    r"travessa|praça|largo|estrada|rambla|str\.|ul\.|ulica|aleja|al\.)"
)
_WORD = r"[\p{L}\p{M}.'’-]+"
_NUMBER = r"\d{1,4}(?: ?[A-Za-zÆØÅ]\b)?(?:-\d{1,4}[A-Za-z]?)?"
_FLOOR = (
    r"(?:,? ?(?i:\b(?:st|kl|\d{1,2}) ?\.?(?: ?sal)?,? ?\.? ?(?:tv|th|mf|dør ?\d{1,3}|\d{1,4})\b\.?"
    r"|\bst(?:uen)?\b\.?|\d{1,2}\. ?sal\b|\b(?:apt|suite|unit|flat|floor|etage|lejl)\b\.? ?#?\w{1,5}|#\d{1,5}))?"
)
_POST = r"(?:,? (?:DK-?)?\d{4} \p{Lu}[\p{L}.]+(?: (?:[NSVØKC]|\p{Lu}[\p{L}.]+))?)?"
DANISH = rf"\b(?:\p{{Lu}}[\p{{L}}\p{{M}}.'’-]* ?(?:(?:\p{{Lu}}|af |i |på |og |den |der |de |til )[\p{{L}}\p{{M}}.'’-]* ?){{0,4}})?(?:\p{{L}}*){_DANISH} {_NUMBER}{_FLOOR}{_POST}"
ENGLISH = (
    rf"\b\d{{1,5}}[A-Za-z]? (?:{_WORD} ){{1,4}}{_ENGLISH}\b\.?(?:,? (?i:apt|suite|unit|flat|ste|#)\.? ?#?\w{{1,5}})?"
)
BOX = r"(?i)\b(?:postbo(?:ks|x)|p\.? ?o\.? ?box|boks) \d+"


def score(values: pl.Series) -> pl.Series:
    return tiers(
        values,
        (rf"^(?:c/o .*)?{DANISH}", 0.92),
        (rf"^{ENGLISH}", 0.88),
        (rf"^{_ROMANCE}\s.*\d", 0.85),
        (BOX, 0.3),
        (rf"^{_WORD}(?: {_WORD}){{0,4}},? {_NUMBER}{_FLOOR}(?:,.*)?$", 0.2),
        (rf"^\d{{1,5}}[A-Za-z]?,? {_WORD}(?: {_WORD}){{0,4}}(?:,.*)?$", 0.2),
        (rf"{DANISH}|{ENGLISH}", 0.6),
        (r"^[\p{L}].*\d", 0.12),
        (rf"^{_WORD}(?: {_WORD}){{0,4}}$", 0.06),
    )


def judge(_before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    return choose(value.str.contains(r"\d").fill_null(False), 0.85, 0.0)


recognizer = Recognizer(
    "ADDRESS",
    rank=65,
    score=score,
    header=r"adress|address|\b(?:adr|addr|vej|vejnavn|gade|gadenavn|street|strasse|straße|road|bopæl|bopael|residence|domicile|"
    r"gadeadresse|addressline|house ?(?:no|number))\b",
    weak_header=r"\b(?:ship to|deliver\w*|levering\w*|sted|location|bill to|lokation)\b",
    not_header=r"\b(?:ip|mac|email|mail|url|web|wallet|site|city|by|country|land|zip|post(?:al)?(?: code)?|code|state|region|type|postnr)\b",
    span=rf"{DANISH}|{ENGLISH}",
    judge=judge,
)
