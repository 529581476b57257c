"""What Presidio's own recognizers are sure of is masked here too, in any column and in any sentence.

Exceptions: none. Presidio's e-mail check needs a known top-level domain; ours takes any.
"""

import random

import polars as pl
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, IbanRecognizer, IpRecognizer

from core.models import Verdict
from engine.personal.mask import Masker
from engine.personal.text import in_text

ROWS = 10_000
TEMPLATES = [
    "{0}",
    "Kunden skrev {0} i går",
    "see {0}.",
    "({0})",
    "{0}, {1}",
    "pay to {0} or {1}",
    "ref: {0};",
    '"{0}"',
    "fra {0} til {1}",
    "x {0}\ny {1}",
]


def luhn(body: str) -> str:
    total = sum(sum(divmod(int(d) * (2 if k % 2 == 0 else 1), 10)) for k, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def iban(rng: random.Random) -> str:
    country, length = rng.choice([("DK", 14), ("DE", 18), ("NO", 11), ("SE", 20), ("BE", 12), ("FI", 14)])
    body = "".join(rng.choices("0123456789", k=length))
    number = "".join(str(int(c, 36)) for c in body + country + "00")
    text = f"{country}{98 - int(number) % 97:02d}{body}"
    return " ".join(text[k : k + 4] for k in range(0, len(text), 4)) if rng.random() < 0.5 else text


def card(rng: random.Random) -> str:
    head, length = rng.choice([("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("36", 14), ("3528", 16)])
    number = luhn(head + "".join(rng.choices("0123456789", k=length - 1 - len(head))))
    if length == 16 and rng.random() < 0.5:
        return rng.choice([" ", "-"]).join(number[k : k + 4] for k in range(0, 16, 4))
    return number


def address(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(8))
    return ".".join(str(rng.randrange(100, 256)) for _ in range(4))


def mail(rng: random.Random) -> str:
    local = rng.choice(["ida", "bo.holm", "a+b", "x_y", "o'neil", "m-n", "i%d", "Ida.HOLM", "søren"])
    domain, top = rng.choice(["mail", "sub.firma", "x-y"]), rng.choice(["dk", "com", "co.uk", "org"])
    return f"{local}{rng.randrange(100)}@{domain}.{top}"


def test_what_presidio_is_sure_of_is_masked_here_too() -> None:
    rng = random.Random(5)
    make = [iban, card, address, mail]
    rows = [rng.choice(TEMPLATES).format(rng.choice(make)(rng), rng.choice(make)(rng)) for _ in range(ROWS)]
    masked = Masker({"c": Verdict("c")}, b"k")(pl.DataFrame({"c": rows}))["c"].to_list()
    read = in_text(pl.Series(rows), models={})[0].to_list()
    theirs = [IbanRecognizer(), CreditCardRecognizer(), IpRecognizer()]
    found = 0
    for row, cell, text in zip(rows, masked, read, strict=True):
        for recognizer in theirs:
            for hit in recognizer.analyze(row, recognizer.supported_entities):
                if hit.score >= 1 or recognizer.supported_entities == ["IP_ADDRESS"]:
                    value = row[hit.start : hit.end].strip()
                    found += 1
                    assert value not in cell, (hit.entity_type, "in any column")
                    assert value not in text, (hit.entity_type, "in a sentence")
        assert "@" not in cell, "an e-mail address in any column"
        assert "@" not in text, "an e-mail address in a sentence"
    assert found > ROWS / 2
