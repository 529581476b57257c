"""Street addresses: a street word with a house number, in Danish, English and the neighbours' spellings."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_DANISH = (
    r"(?i:vej(?:en)?|gade(?:n)?|all[eé]en|all[eé]e?|stræde(?:t)?|boulevard(?:en)?|plads(?:en)?|torv(?:et)?|vænge(?:t)?|parken|haven|"
    r"toften|bakke(?:n)?|bakken|kaj(?:en)?|brygge(?:n)?|vang(?:en)?|agre|ager(?:en)?|marken|krogen|skrænten|lunden|engen|skellet|"
    r"stien|sti|draget|brynet|højen|lien|leddet|løkken|hegnet|diget|svinget|dammen|mosen|sletten|kilden|åsen|banken|kanten|"
    r"tofte|mark|skov|bjerg|høj|dal|kær|kjær|krog|linie|linien|kanal(?:en)?|plænen|fælleden|passagen|gangen|slippen|porten|"
    r"broen|havnen|molen|pladsen|gab|løbet|rækken|rækkerne|terrasserne|hulvejen|hulen|eng|lund|have|holmen|bugten|odden|dalen|gården|gyden|kæret|buen|ringen|stien|lykke(?:n)?|kvarteret|esplanaden|promenaden|voldgade|strand(?:en)?|"
    r"straße|strasse|str\.|platz|weg|gatan|vägen|gata|gate(?:n)?|veien|vegen|straat|laan|gracht|katu|tie|ulica|utca)"
)
_ENGLISH = (
    r"(?i:street|st|road|rd|avenue|ave|av|lane|ln|drive|dr|court|ct|place|pl|square|sq|boulevard|blvd|way|terrace|close|crescent|"
    r"parkway|pkwy|highway|hwy|circle|cir|gardens|grove|mews|row|trail|trl|walk|green|rise|gate|view|quay|wharf|vale|park|heights|manor|mount|fields|meadows|hill|plaza|loop)"
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
_CITY = r"\p{Lu}\p{L}+(?: (?:[NSVØKC]|NV|SV|\p{Lu}\p{Ll}+))?\b"
_POST = rf"(?:[,.]{{0,2}} (?:DK-?)?\d{{4}} {_CITY})?"
_STREET = r"\p{Lu}[\p{L}.'’-]+(?: (?:\p{Lu}[\p{L}.'’-]*|af|den|de|på|i)){0,4} \d{1,4} ?[A-Za-z]?"
_DOOR = r",? (?:st|kl|\d{1,2})\.?,? ?(?:sal,? )?(?:tv|th|mf)\b\.?"
# Any name with a house number, when a floor or a postcode with its town follows it.
_PLACED = rf"\b{_STREET}(?:(?:{_DOOR})?[,.]{{0,2}} (?:DK-?)?\d{{4}} {_CITY}|{_DOOR})"
_SAID = (
    r"(?i)(?:adresse[n]?|address|bor(?: nu)?(?: på| i)?|boende|bopæl|lives? (?:at|on|in)|living at|moved (?:to|from)|flyttet (?:til|fra)|flytter til|resid\w+ (?:at|in)|"
    r"ship(?:ped|ping)? (?:it )?to|deliver(?:ed|y)? (?:it )?to|leveres til|levering til|sendes til|send(?:t)? (?:den |det )?til|hjem til|kommer til|hentes på|"
    r"visit|besøg(?:e)? på|køres til|bestilt til)(?: er| is| nu)?[\s:]{1,3}$"
)
_CUED = rf"\b{_STREET}\b|\b\d{{1,5}} \p{{Lu}}[\p{{L}}.'’-]+(?: \p{{Lu}}[\p{{L}}.'’-]+){{1,3}}(?:,? (?i:apt|suite|unit|flat)\.? ?#?\w{{1,5}})?"
_WORLD = r"(?:via|viale|piazza|corso|calle|rue|avenue|av\.|avenida|avda\.|rua|plaza|place|chemin|quai|boulevard|bd|ulica|ul\.|aleja|al\.|praça|largo|paseo|travessa)"
_OF = r"(?:(?:de|del|della|delle|dei|di|du|des|da|do|dos|la|le|las|los) |l['’]|d['’])"
_ABROAD = r"(?:\p{Lu}[\p{L}.'’-]+ ?){1,4}"
FOREIGN = rf"\b(?i:{_WORLD}) {_OF}{{0,3}}{_ABROAD},? ?(?:n[º°o]?\.? ?)?\d{{1,4}}(?: ?[A-Za-z]\b|[ºª])?(?:, \d{{4,5}}\b)?|\b\d{{1,4}}(?: bis| ter)?,? (?i:{_WORLD}) {_OF}{{0,3}}\p{{Lu}}[\p{{L}}'’-]+(?:[ -]\p{{Lu}}[\p{{L}}'’-]+){{0,3}}"
_NAME = r"\p{Lu}[\p{L}\p{M}.'’-]*(?: (?:\p{Lu}[\p{L}\p{M}.'’-]*|af|i|på|og|den|der|de|til)){0,4}"
DANISH = rf"\b(?:{_NAME} ?)?\p{{L}}*{_DANISH} {_NUMBER}{_FLOOR}{_POST}"
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
        (r"^[\p{L}].*\d|^\d{1,6}[A-Za-z]? .*\p{L}{2}", 0.12),
        (rf"^{_WORD}(?: {_WORD}){{0,4}}$", 0.06),
    )


_SURE = rf"{DANISH}|{ENGLISH}|{_PLACED}|{FOREIGN}"


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    """A street word or a postcode behind the number is enough; any other name with a number needs words before it."""
    sure = value.str.contains(rf"^(?:{_SURE})").fill_null(False) & value.str.contains(r"^(?:[\p{Lu}\d]|\p{Ll}{6,})")
    said = before.str.contains(_SAID).fill_null(False)
    return choose(sure, 0.85, choose(said, 0.75, 0.0))


recognizer = Recognizer(
    "ADDRESS",
    rank=65,
    score=score,
    header=r"adress|address|\b(?:adr|addr|vej|vejnavn|gade|gadenavn|street|strasse|straße|road|bopæl|bopael|residence|domicile|"
    r"gadeadresse|addressline|house ?(?:no|number))\b",
    weak_header=r"\b(?:ship to|deliver\w*|levering\w*|sted|location|bill to|lokation)\b",
    not_header=r"\b(?:ip|mac|email|mail|url|web|wallet|site|city|by|country|land|zip|post(?:al)?(?: code)?|code|state|region|type|postnr)\b",
    needs=r"\d",
    span=rf"{FOREIGN}|{_PLACED}|{DANISH}|{ENGLISH}|{_CUED}",
    judge=judge,
)
