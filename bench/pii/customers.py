"""Customer tables of twelve columns, of people who do not exist: without free text, with templates, with prose.

The same rows for the same seed. Half of the names are put together from syllables, so that no list of names holds them.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

SEED = 11
AT_ONCE = 100_000

_FIRST = (
    "Anne Mette Lars Søren Ida Jørgen Åse Emil Freja Rasmus Emma James Olivia William "
    "Sophie Ahmed Maria Peter Laura John"
)
_LAST = (
    "Holm Kjær Østergaard Lund Dahl Møller Brandt Skov Jensen Nielsen Hansen Smith Brown Wilson Taylor Khan Nguyen "
    "Schmidt Larsen Poulsen"
)
_STREET = "Lindevej Skovgade Havnegade Elmevej Rosenvænget Strandvejen Kirkegade Møllevej Bredgade Parkalle"
_CITY = "Aarhus Odense Aalborg Esbjerg Randers Kolding Horsens Vejle Roskilde Herning"
_STATUS = "active paused closed prospect"
_TEMPLATES = (
    "Called about order {order}, promised an answer by Friday.",
    "Customer asked to be reached on {phone} after 4 pm.",
    "{name} wants the invoice sent to {email} instead.",
    "Parcel {order} was returned by the carrier, refund issued.",
    "Spoke with {name}, who will pay the outstanding amount next week.",
    "No answer on {phone}, will try again on Monday.",
    "Delivery moved to {street} {house}, please update the address.",
    "The Nordlys lamp arrived broken; a new one is on its way.",
    "Wants to cancel the subscription, reason: too expensive.",
    "Please forward the contract to {name} ({email}).",
    "Complaint about the delivery time of order {order}.",
    "Asked for a copy of the receipt for {amount} kr.",
    "Signed up at the fair in Copenhagen, interested in the Premium plan.",
    "Refund of {amount} kr approved by {name}.",
    "Changed the delivery address and the phone number to {phone}.",
    "Newsletter stopped on request.",
)
_SYLLABLES = "ba da fe gri ha ju ka lo mi no pel ra sto ti vu ya zo bren dal fik".split()
_ENDS = "na rik lis mo dan via tus rel kin sa".split()

_WHO = (
    "the customer|a neighbour|our driver|the shop in Vejle|the bookkeeper|their lawyer|the new assistant|the school|"
    "the landlord|support in Berlin|the warehouse|an engineer|the bank|Nordlys Energy|Bright Ltd|the carrier|"
    "the caller|the previous owner|a colleague|the night shift"
)
_DID = (
    "asked about|complained about|cancelled|returned|forgot|wants to change|could not find|paid for|is waiting for|"
    "was pleased with|has lost|would like to move|doubts|explained|sent pictures of|refused|ordered|confirmed|"
    "repaired|counted"
)
_WHAT = (
    "the blue lamp|a winter coat|the second invoice|two boxes of tiles|the broken heater|the Atlas bookshelf|"
    "a garden chair|the monthly plan|the contract from March|the old subscription|a spare key|the missing screws|"
    "the coffee machine|"
    "the discount code|a pair of boots|the rental bicycle|a bag of cement|the ticket to Oslo|"
    "the warranty|the returned parcel"
)
_WHEN = (
    "on Monday|last week|before Christmas|in the early morning|after the holiday|at the end of May|twice this year|"
    "during the storm|while travelling|by mistake|without a receipt|in the Aarhus store|over the phone|late on Friday|"
    "after a long wait|in a hurry|with some doubt|on the way home|as agreed|for the third time"
)
_SO = (
    "and expects an answer soon|because the colour was wrong|so the case is still open|but nobody replied|"
    "and the manager agreed|which took a long time|although the deadline had passed|and is happy now|"
    "so we promised a refund|because the box was damaged|and a new one was sent|but the price had changed|"
    "and nothing more is needed|so please call back|which was unexpected|and it was noted in the system|"
    "because the door was locked|and the rest comes later|but that was not possible|so we wait for the parts"
)
_NAMED = (
    "{name} from the sales team took over the case.",
    "Best regards, {name}.",
    "Please ask {name} or write to {email}.",
    "It was {name} who signed for it.",
    "The number of {name} is {phone}.",
    "A letter went to {street} {house}.",
    "They had spoken with {name} earlier.",
    "{name} will look at it.",
)


def names(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """First names and family names: half known ones, half that no list holds."""
    made = [a + b + c for a, b, c in itertools.product(_SYLLABLES, _SYLLABLES, _ENDS)]
    first = np.array([*_FIRST.split() * 10, *(name.title() for name in chance.choice(made, 200, replace=False))])
    last = np.array([*_LAST.split() * 10, *(name.title() + "t" for name in chance.choice(made, 200, replace=False))])
    return first, last


def write(path: Path, rows: int, text: Callable[["People"], pl.Series] | None = None) -> None:
    """A CSV of that many rows; its twelfth column is a status, or the text."""
    with path.open("wb") as file:
        for start in range(0, rows, AT_ONCE):
            people = People(start, min(AT_ONCE, rows - start))
            people.table(text).write_csv(file, include_header=start == 0)


class People:
    """Some rows of the table, from the number `start`."""

    def __init__(self, start: int, count: int) -> None:
        self.chance, self.start, self.count = np.random.default_rng((SEED, start)), start, count
        first, last = names(np.random.default_rng(SEED))
        self.first, self.last = self.pick(first), self.pick(last)
        self.name = self.first + " " + self.last
        self.number = pl.Series(np.arange(start, start + count)).cast(pl.String)
        ascii_ = self.first.str.to_lowercase().str.replace_many({"ø": "o", "å": "aa", "æ": "ae"})
        self.email = ascii_ + "." + self.number + self.pick(np.array(["@example.com", "@mail.example.dk"]))
        self.phone = self.digits(20_000_000, 99_999_999)
        self.street, self.house = self.pick(np.array(_STREET.split())), self.digits(1, 200)

    def pick(self, values: np.ndarray) -> pl.Series:
        return pl.Series(values[self.chance.integers(0, len(values), self.count)], dtype=pl.String)

    def digits(self, low: int, high: int, width: int = 0) -> pl.Series:
        return pl.Series(self.chance.integers(low, high, self.count)).cast(pl.String).str.zfill(width)

    def table(self, text: Callable[["People"], pl.Series] | None) -> pl.DataFrame:
        day = self.digits(1, 29, 2) + self.digits(1, 13, 2) + self.digits(40, 99)
        return pl.DataFrame(
            {
                "customer_id": self.number,
                "first_name": self.first,
                "last_name": self.last,
                "email": self.email,
                "phone": self.phone,
                "cpr": day + "-" + self.digits(0, 10_000, 4),
                "address": self.street + " " + self.house,
                "postcode": self.digits(1000, 9990),
                "city": self.pick(np.array(_CITY.split())),
                "signed_up": "20" + self.digits(10, 26) + "-" + self.digits(1, 13, 2) + "-" + self.digits(1, 29, 2),
                "spent": self.digits(0, 9000) + "." + self.digits(0, 100, 2),
                **({"notes": text(self)} if text else {"status": self.pick(np.array(_STATUS.split()))}),
            }
        )

    def filled(self, templates: tuple[str, ...]) -> pl.Series:
        """Templates, one picked for each row, with the row's own and other values in their places."""
        out = self.pick(np.array(templates))
        slots = {
            "{name}": pl.Series(np.where(self.chance.random(self.count) < 0.5, self.name, self.name.reverse())),
            "{email}": self.email,
            "{phone}": self.phone,
            "{street}": self.street,
            "{house}": self.house,
            "{order}": self.digits(100_000, 999_999),
            "{amount}": self.digits(50, 5000),
        }
        for slot, values in slots.items():
            out = _put(out, slot, values)
        return out


def _put(texts: pl.Series, slot: str, values: pl.Series) -> pl.Series:
    return (
        pl.DataFrame({"t": texts, "v": values})
        .select(pl.col("t").str.replace(slot, pl.col("v"), literal=True))
        .to_series()
    )


def templates(people: People) -> pl.Series:
    """Notes as a form or a script writes them: sixteen sentences, filled in."""
    return people.filled(_TEMPLATES)


def prose(people: People) -> pl.Series:
    """Three sentences, every text another one; in two of three someone is named."""

    def sentence() -> pl.Series:
        who, did, what, when, so = (
            people.pick(np.array(words.split("|"))) for words in (_WHO, _DID, _WHAT, _WHEN, _SO)
        )
        who = who.str.head(1).str.to_uppercase() + who.str.slice(1)
        return who + " " + did + " " + what + " " + when + " " + so + "."

    return sentence() + " " + people.filled((*_NAMED, *("Nothing else was said.",) * 4)) + " " + sentence()
