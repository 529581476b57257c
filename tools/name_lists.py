"""Builds the name lists of engine/chart/words from Faker's providers (MIT) and the 1990 US census (public domain).

Run by hand in an environment with `faker` and `names`: python tools/name_lists.py engine/chart/words
The lists are committed, so that neither package is needed to use Atlas.
"""

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
    spec = find_spec("names")
    if spec is None or spec.origin is None:
        raise SystemExit("install `faker` and `names` first")
    rows = (line.split() for line in (Path(spec.origin).parent / file).read_text().splitlines())
    return {row[0].lower() for row in rows if float(row[1]) >= floor}


def main(folder: Path) -> None:
    first = faker_names(("first_name", "romanized_first", "first_romanized"))
    last = faker_names(("last_name", "romanized_last", "last_romanized", "prefix_surname"))
    first |= census("dist.male.first", 0.004) | census("dist.female.first", 0.004)
    last |= census("dist.all.last", 0.003)
    from faker.providers.lorem.da_DK import Provider as Danish
    from faker.providers.lorem.de_DE import Provider as German
    from faker.providers.lorem.en_US import Provider as English

    common = {w.lower() for provider in (Danish, English, German) for w in provider.word_list if len(w) > 1}
    for name, words in (("first_names", first), ("last_names", last), ("common_words", common)):
        (folder / f"{name}.txt").write_text("\n".join(sorted(words)) + "\n", encoding="utf-8")


main(Path(sys.argv[1]))
