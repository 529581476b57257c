"""Builds the name lists of engine/personal/words from published, licensed sources.

Faker's providers (MIT), Mimesis' data (MIT), the 1990 US census (public domain), and the names that Statistics Denmark
counted in 2021 and a study of Muslim first names in Denmark (Meldgaard, 2005), both as DaCy (Apache-2.0) ships them.
Run by hand where these are: pip install faker names mimesis && pip install --no-deps dacy
    python tools/name_lists.py engine/personal/words
The lists are committed, so that none of the packages is needed to use Atlas.
"""

import csv
import json
import re
import sys
import unicodedata
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

LATIN = re.compile(r"[a-zà-öø-ÿāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįıĵķĺļľŀłńņňŉŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷźżžșțạ-ỹ'’. -]+")


def tidy(name: str) -> list[str]:
    """The single words of a name in lower case, without titles and initials."""
    name = unicodedata.normalize("NFC", name).lower().strip()
    return [w for w in re.split(r"[ .]+", name) if len(w) > 1 and LATIN.fullmatch(w)] if LATIN.fullmatch(name) else []


def faker_names(prefixes: tuple[str, ...]) -> set[str]:
    import faker.providers.person as package

    found: set[str] = set()
    for module in iter_modules(package.__path__):
        provider = import_module(f"{package.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            if attribute.startswith(prefixes) and "romanized_format" not in attribute:
                values = getattr(provider, attribute)
                if isinstance(values, (tuple, list, dict)):
                    found.update(w for v in values if isinstance(v, str) for w in tidy(v))
    return found


def census(file: str, floor: float) -> set[str]:
    """Names that at least `floor` percent of the population bear: rarer ones are mostly words."""
    rows = (line.split() for line in (folder("names") / file).read_text().splitlines())
    return {row[0].lower() for row in rows if float(row[1]) >= floor}


def folder(package: str) -> Path:
    """Where a package lies, without loading it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit("install `faker`, `names`, `mimesis` and `dacy` first")
    return Path(spec.origin).parent


def denmark(first: bool) -> set[str]:
    """What Statistics Denmark counted, and the names of the study."""
    with (folder("dacy") / "resources" / "lookup_tables" / "names.csv").open(encoding="utf-8", newline="") as file:
        return {w for row in csv.DictReader(file) if (row["first_name"] == "True") is first for w in tidy(row["name"])}


def mimesis_names(key: str) -> set[str]:
    found: set[str] = set()
    for file in (folder("mimesis") / "datasets").glob("*/person.json"):
        values = json.loads(file.read_text("utf-8")).get(key, [])
        groups = values.values() if isinstance(values, dict) else [values]
        found.update(w for group in groups for v in group for w in tidy(v))
    return found


def mimesis_words(language: str) -> set[str]:
    text = json.loads((folder("mimesis") / "datasets" / language / "text.json").read_text("utf-8"))
    return {w for phrase in text["words"] for w in tidy(phrase)}


def main(target: Path) -> None:
    first = faker_names(("first_name", "romanized_first", "first_romanized"))
    last = faker_names(("last_name", "romanized_last", "last_romanized", "prefix_surname"))
    first |= census("dist.male.first", 0.004) | census("dist.female.first", 0.004)
    last |= census("dist.all.last", 0.003)
    danish = denmark(first=True)
    first |= danish | mimesis_names("names")
    last |= denmark(first=False) | mimesis_names("surnames")
    from faker.providers.lorem.da_DK import Provider as Danish
    from faker.providers.lorem.de_DE import Provider as German
    from faker.providers.lorem.en_US import Provider as English

    common = {w.lower() for provider in (Danish, English, German) for w in provider.word_list if len(w) > 1}
    common |= (mimesis_words("da") | mimesis_words("en")) - danish  # of its words some are names
    frequent = danish | census("dist.male.first", 0.02) | census("dist.female.first", 0.02)
    lists = {"first_names": first, "last_names": last, "common_words": common, "frequent_first_names": frequent}
    for name, words in lists.items():
        (target / f"{name}.txt").write_text("\n".join(sorted(words)) + "\n", encoding="utf-8")


main(Path(sys.argv[1]))
