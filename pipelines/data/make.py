"""Makes the sample data of a Danish web shop: the same every time, but for the times, which end now.

Nobody in it exists. The mess is on purpose: CPR numbers with impossible dates, customers that come twice, rows that
nobody touched for years, personal data in the text of tickets, a broken line, a file that comes late.

    python pipelines/data/make.py            writes customers-*.csv, products.csv, orders-*.csv, tickets.csv beside it
"""

import csv
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

FIRST = """Anne Peter Mette Lars Kirsten Michael Hanne Henrik Anna Søren Helle Thomas Maria Jens Sofie Niels Ida Martin
Freja Christian Clara Rasmus Emma Mads Laura Frederik Åse Jørgen Birgit Øjvind Signe Anders Maja Kasper Camilla Jonas
Lærke Mikkel Astrid Bjørn Karen Aksel Fatima Omar Agnieszka Mehmet Lucía Dmitri Nguyễn Chidi""".split()
LAST = """Nielsen Jensen Hansen Pedersen Andersen Christensen Larsen Sørensen Rasmussen Jørgensen Petersen Madsen
Kristensen Olsen Thomsen Christiansen Poulsen Johansen Møller Mortensen Knudsen Holm Lund Bjerregaard Østergaard
Kjær Skov Vestergård Dahl Brandt Yıldız Kowalska Haddad Okafor Ivanov Müller""".split()
STREET = """Nørregade Søndergade Vestergade Algade Bredgade Østerbrogade Strandvejen Skovvej Møllevej Kirkevej Engvej
Birkevej Rosenvej Lærkevej Havnegade Jernbanegade Parkvej Bakkedraget Solbakken Åboulevarden""".split()
CITY = [
    ("1620", "København V"), ("2100", "København Ø"), ("2300", "København S"),
    ("8000", "Aarhus C"), ("5000", "Odense C"), ("9000", "Aalborg"), ("6700", "Esbjerg"),
    ("7100", "Vejle"), ("4000", "Roskilde"), ("8700", "Horsens"),
    ("3700", "Rønne"), ("6400", "Sønderborg"),
]  # fmt: skip
FOREIGN = [("211 44", "Malmö", "Sweden"), ("20095", "Hamburg", "Germany"), ("0150", "Oslo", "Norway")]
PRODUCT = """Tekande Kaffekrus Skærebræt Uldplaid Lysestage Vase Gryde Stegepande Kniv Forklæde Dug Pude Lampe Spejl
Knagerække Brødkasse Salatskål Karaffel Termokande Viskestykke""".split()
COLOUR = ["sort", "hvid", "grøn", "blå", "eg", "messing"]
TOPIC = {
    "levering": "Pakken er ikke kommet", "retur": "Jeg vil gerne returnere en vare", "faktura": "Spørgsmål til faktura",
    "reklamation": "Varen var i stykker", "konto": "Kan ikke logge ind",
}  # fmt: skip


def main(folder: Path, now: datetime) -> None:
    """Writes all files into a folder; every time in them is before `now`."""
    chance = random.Random(1849)
    products = list(_products(chance))
    customers = list(_customers(chance, now))
    orders = list(_orders(chance, now, [c["customer_id"] for c in customers], products))
    tickets = list(_tickets(chance, now, customers, orders))
    _write(folder / "products.csv", products)
    for source in ("webshop", "butik", "app"):
        _write(folder / f"customers-{source}.csv", [c for c in customers if c["source"].startswith(source)])
    with (folder / "customers-butik.csv").open("a", encoding="utf-8") as file:
        file.write("K19998,for få felter\n")  # somebody saved this one by hand
        file.write("K19999,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n")
    months = sorted({order["ordered_at"][:7] for order in orders})
    for month in months[-3:]:
        chosen = [o for o in orders if max(o["ordered_at"][:7], months[-3]) == month]
        _write(folder / f"orders-{month}.csv", chosen)
    # the help desk exports as Windows does in Denmark
    _write(folder / "tickets.csv", tickets, delimiter=";", encoding="cp1252")


def _write(path: Path, rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _products(chance: random.Random):
    number = 100
    for name in PRODUCT:
        for colour in chance.sample(COLOUR, 3):
            number += chance.randint(1, 9)
            price = chance.choice([49, 79, 99, 149, 199, 249, 349, 499, 799])
            yield {"sku": f"AT-{number}", "product": f"{name}, {colour}", "price": f"{price}.00", "ean": _ean(number)}


def _ean(number: int) -> str:
    digits = f"570{number:09d}"
    weighted = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return digits + str(-weighted % 10)


def _customers(chance: random.Random, now: datetime):
    sources = ["webshop"] * 6 + ["webshop-v2"] * 2 + ["butik"] * 3 + ["app"] * 2
    rows = []
    for n in range(2400):
        first, last, source = chance.choice(FIRST), chance.choice(LAST), chance.choice(sources)
        postcode, city = chance.choice(CITY)
        country, phone = "Denmark", _phone(chance)
        if chance.random() < 0.08:
            postcode, city, country = chance.choice(FOREIGN)
            phone = {"Sweden": "+46 70", "Germany": "+49 151", "Norway": "+47 4"}[country] + _digits(chance, 7)
        created = now - timedelta(days=chance.randint(30, 1500), minutes=chance.randint(0, 1440))
        # most were touched lately, some not for years; nobody since two days: the export is late
        updated = now - LATE - timedelta(days=chance.expovariate(1 / 200) if n else 0)
        mail = f"{_ascii(first)}.{_ascii(last)}{n if chance.random() < 0.5 else ''}@{chance.choice(MAILERS)}".lower()
        if (source == "webshop-v2" and chance.random() < 0.5) or chance.random() < 0.01:
            mail = ""  # the new checkout forgets to ask
        elif chance.random() < 0.006:
            mail = mail.replace("@", " at ")
        rows.append(
            {
                "customer_id": f"K{10001 + n}", "name": f"{first} {last}", "email": mail,
                "phone": phone if chance.random() > 0.1 else "", "cpr": _cpr(chance),
                "address": f"{chance.choice(STREET)} {chance.randint(1, 180)}{chance.choice(FLOORS)}",
                "postcode": postcode, "city": city, "country": country, "source": source,
                "newsletter": chance.choice(["ja", "nej"]), "created_at": _time(created),
                "updated_at": _time(max(updated, created)),
            }
        )  # fmt: skip
    rows += [dict(row) for row in chance.sample(rows, 23)]  # merged twice from the old system
    return rows


LATE = timedelta(hours=50.5)
COPENHAGEN = ZoneInfo("Europe/Copenhagen")  # the shop writes its own clock
MAILERS = ["mail.example", "post.example", "firma.example", "skole.example"]
FLOORS = ["", "", "", ", 1. tv", ", 2. th", ", st.", ", 3. mf"]


def _orders(chance: random.Random, now: datetime, customers: list[str], products: list[dict[str, str]]):
    rows = []
    for n in range(6000):
        product, quantity = chance.choice(products), min(1 + int(chance.expovariate(1.1)), 9)
        ordered = now - timedelta(hours=6, days=abs(chance.gauss(0, 28)), minutes=chance.randint(0, 600))
        shipped = ordered + timedelta(hours=chance.randint(3, 70))
        if chance.random() < 0.008:
            shipped = ordered - timedelta(hours=chance.randint(2, 30))  # somebody's clock
        price = float(product["price"])
        total = quantity * price
        if chance.random() < 0.004:
            total += chance.choice([-50, 25, 100])
        customer = chance.choice(customers) if chance.random() > 0.003 else f"K{99000 + n % 50}"
        rows.append(
            {
                "order_id": f"{2600000 + n}", "customer_id": customer, "ordered_at": _time(ordered),
                "shipped_at": _time(shipped) if shipped < now else "",
                "sku": product["sku"] if chance.random() > 0.005 else "AT-0", "quantity": str(quantity),
                "unit_price": f"{price:.2f}", "total": f"{total:.2f}",
                "status": "sendt" if shipped < now else "afventer",
            }
        )  # fmt: skip
    for row in chance.sample(rows, 12):
        row["quantity"] = chance.choice(["0", "-1"])
    return sorted(rows, key=lambda row: row["ordered_at"])


def _tickets(chance: random.Random, now: datetime, customers: list[dict[str, str]], orders: list[dict[str, str]]):
    for n in range(1500):
        customer, order = chance.choice(customers), chance.choice(orders)
        topic = chance.choice(list(TOPIC))
        text = chance.choice(TEXTS).format(
            name=customer["name"], first=customer["name"].split()[0], phone=customer["phone"] or _phone(chance),
            email=customer["email"] or "ingen mail", cpr=customer["cpr"], address=customer["address"],
            order=order["order_id"], amount=order["total"].replace(".", ","), product=chance.choice(PRODUCT).lower(),
        )  # fmt: skip
        yield {
            "ticket_id": f"T-{70000 + n}", "created_at": _time(now - timedelta(hours=chance.randint(1, 900))),
            "customer_id": customer["customer_id"], "channel": chance.choice(["mail", "chat", "telefon"]),
            "topic": topic, "subject": TOPIC[topic], "body": text,
        }  # fmt: skip


TEXTS = [
    "Hej, min pakke med ordre {order} er ikke kommet. Ring gerne på {phone}. Hilsen {name}",
    "Jeg har betalt {amount} kr. for en {product}, men den var i stykker. Mvh {first}",
    "Kan I sende fakturaen for {order} til {email}?",
    "Mit CPR-nummer er {cpr}, kan I se min konto? Venlig hilsen {name}",
    "Ny adresse: {address}. Kan I rette det på ordre {order}?",
    "Hello, my order {order} has not arrived. Please call me on {phone}. Best regards, {name}",
    "Varen er returneret. Hvornår får jeg de {amount} kr. igen?",
    "Jeg kan ikke logge ind. Det siger bare fejl 403.",
    "Er {product} på lager igen i uge 48?",
    "The {product} is lovely, thank you. Will there be more in March?",
]


def _cpr(chance: random.Random) -> str:
    born = datetime(1935, 1, 1, tzinfo=UTC) + timedelta(days=chance.randint(0, 26000))
    if chance.random() < 0.012:
        return f"39{born:%m%y}-{_digits(chance, 4)}"  # no month has 39 days
    since_2007 = chance.random() < 0.08  # these need not pass modulus 11
    while True:
        number = f"{born:%d%m%y}{chance.randint(0, 3)}{_digits(chance, 3)}"
        if since_2007 or sum(int(d) * w for d, w in zip(number, CPR_WEIGHTS, strict=True)) % 11 == 0:
            return f"{number[:6]}-{number[6:]}"


CPR_WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


def _phone(chance: random.Random) -> str:
    digits = chance.choice("23456789") + _digits(chance, 7)
    style = chance.random()
    if style < 0.4:
        return digits
    spaced = " ".join(digits[i : i + 2] for i in range(0, 8, 2))
    return spaced if style < 0.8 else f"+45 {spaced}"


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _ascii(name: str) -> str:
    table = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ü": "u", "í": "i", "ễ": "e", "ı": "i", "Ø": "O", "Å": "A"})
    return name.translate(table)


def _time(value: datetime) -> str:
    return value.astimezone(COPENHAGEN).strftime("%Y-%m-%d %H:%M:%S")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    main(target, datetime.now(UTC).replace(microsecond=0))
