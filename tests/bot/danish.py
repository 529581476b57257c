"""A small shop with Danish names, a model that is right, one that is wrong, and one that reads the wrong one."""

import random
from pathlib import Path

from atlas.embedded import Embedded
from core.settings import load
from engine.store import access
from tests.homes import prepare

FIRST = ("Søren", "Åse", "Ægir", "Mette", "Jørgen", "Kåre", "Øjvind", "Anna")
LAST = ("Kjær", "Ølgaard", "Åkjær", "Sørensen", "Holm", "Bæk", "Møller", "Skovgård")
TOWNS = ("København", "Århus", "Ålborg", "Næstved", "Køge", "Værløse")
FILES = {
    "kunder.yml": """name: kunder
description: Kunder fra CRM, én linje pr. kunde med by, kilde og kreditmaksimum i kroner
owner: crm-team
source: {connector: csv, path: kunder.csv}
key: [kundenr]
privacy: {purpose: Salg, legal_basis: contract, retention_days: 730}
quality:
  completeness: [e_mail]
  validity: [{column: kreditmax, min: 0, max: 500000}]
""",
    "ordrer.yml": """name: ordrer
description: Ordrer fra butikkerne
owner: salg-team
source: {connector: csv, path: ordrer.csv}
key: [ordrenr]
quality:
  validity: [{column: valuta, values: [DKK]}]
  consistency: [{column: kundenr, references: kunder.kundenr}]
""",
    "navigate/omsaetning_pr_by.sql": """-- Omsætning pr. by
-- owner: salg-team
select k.by, count(*) as ordrer, avg(o."beløb") as snit, max(o.bestilt) as seneste
from ordrer o join kunder k on k.kundenr = o.kundenr group by 1 order by 2 desc, 1
""",
    "navigate/forkert.sql": """-- Beløb pr. kilde
-- owner: salg-team
select k.kilde, sum(o.belob) as omsaetning
from ordrer o join kunder k using (kundenr) group by 1
""",
    "navigate/paa_forkert.sql": "-- owner: salg-team\nselect max(omsaetning) as mest from forkert\n",
}


def opened(folder: Path) -> Embedded:
    """A home over the shop, with a user of each role; nothing has run."""
    pipelines, chance = folder / "pipelines", random.Random(5)
    (pipelines / "navigate").mkdir(parents=True)
    for name, text in FILES.items():
        (pipelines / name).write_text(text, "utf-8")
    kunder = ["kundenr;navn;e_mail;by;kilde;kreditmax;oprettet"]
    for n in range(1, 201):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        mail = "" if n % 9 == 0 else f"kunde{n}@eksempel.dk"
        kunder.append(f"{10000 + n};{first} {last};{mail};{chance.choice(TOWNS)};{chance.choice(['web', 'butik'])};"
                      f"{chance.randint(0, 600) * 1000};2024-03-{1 + n % 28:02d}")  # fmt: skip
    ordrer = ["ordrenr;kundenr;beløb;bestilt;valuta"]
    for n in range(1, 401):
        ordrer.append(f"{n};{10000 + chance.randint(1, 202)};{chance.randint(1000, 90000) / 100:.2f};"
                      f"2026-11-{chance.randint(1, 28):02d}T{chance.randint(0, 23):02d}:15:00Z;"
                      f"{'EUR' if n % 20 == 0 else 'DKK'}")  # fmt: skip
    (pipelines / "kunder.csv").write_text("\n".join([*kunder, ""]), "utf-8")
    (pipelines / "ordrer.csv").write_text("\n".join([*ordrer, ""]), "utf-8")
    prepare(folder / "home")
    atlas = Embedded(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(pipelines)}))
    with atlas.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    return atlas
