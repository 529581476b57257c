"""What masking misses and what it destroys, on tables and sentences that were written before the rules were tuned.

python -m bench.pii accuracy        the figures
python -m bench.pii.accuracy        the figures, and what went wrong in the part to develop on
"""

import csv
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.pii import tables
from bench.pii.made import Span, read
from bench.pii.score import Score
from engine.personal.mask_files import mask_files

PARTS = ("dev", "held")
_KEY = b"accuracy"
Marked = tuple[str, list[Span]]


def cells(table: tables.Layout) -> list[list[Marked]]:
    return [[read(cell) for cell in row] for row in tables.rows(table)]


def masked_table(table: tables.Layout, marked: list[list[Marked]], folder: Path) -> list[list[str]]:
    """The table as `atlas mask` writes it."""
    file, out = folder / f"{table.name}.csv", folder / "out"
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=table.delimiter)
        writer.writerows([list(table.columns)] if table.header else [])
        writer.writerows([[text for text, _ in row] for row in marked])
    mask_files([file], out, _KEY)
    found = list(csv.reader(io.StringIO((out / file.name).read_text("utf-8")), delimiter=table.delimiter))
    assert len(found) == len(marked) + table.header, f"{table.name} lost rows"
    return found[table.header :]


def scored(table: tables.Layout, folder: Path) -> dict[str, Score]:
    """Every column's score."""
    marked = cells(table)
    masked = masked_table(table, marked, folder)
    by_column: dict[str, Score] = {}
    for n, column in enumerate(table.columns):
        score = by_column.setdefault(column, Score())
        for before, after in zip(marked, masked, strict=True):
            score.add(*before[n], after[n], f"{table.name}.{column}")
    return by_column


def mixed(marked: Iterable[Marked]) -> bool:
    """Whether a column has marks in part of its cells only, or in part of a cell only."""
    told = [(text, spans) for text, spans in marked if text.strip() and any(s[2] != "?" for s in spans)]
    empty = {"", "-", "n/a", "null", "none", "ingen"}
    other = sum(1 for text, spans in marked if not spans and text.strip().lower() not in empty)
    part = sum(1 for text, spans in told if sum(e - s for s, e, _ in spans) < 0.8 * len(text.strip()))
    return bool(told) and (other + part) >= 0.05 * (len(told) + other)


def sentences(part: str, language: str) -> list[str]:
    return (Path(__file__).parent / f"sentences_{language}_{part}.txt").read_text("utf-8").splitlines()


def scored_sentences(part: str, language: str, folder: Path) -> Score:
    marked = [read(line) for line in sentences(part, language)]
    file = folder / f"{language}_{part}.jsonl"
    file.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, (text, _) in enumerate(marked)))
    mask_files([file], folder / "out", _KEY)
    after = [json.loads(line)["text"] for line in (folder / "out" / file.name).read_text("utf-8").splitlines()]
    score = Score()
    for (text, spans), masked in zip(marked, after, strict=True):
        score.add_each(text, spans, masked, f"{language}_{part}")
    return score


def measure(part: str) -> dict[str, Score]:
    """The scores of one part: all cells, whole-cell columns, mixed columns, and the sentences of each language."""
    found = {name: Score() for name in ("all", "whole", "mixed")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table in tables.LAYOUTS:
            if table.part != part:
                continue
            marked = cells(table)
            for n, score in enumerate(scored(table, folder).values()):
                found["all"] += score
                found["mixed" if mixed([row[n] for row in marked]) else "whole"] += score
        for language in ("da", "en"):
            found[language] = scored_sentences(part, language, folder)
    return found


LIMITS = {"all": 0.03, "whole": 0.02, "mixed": 0.10, "da": 0.12, "en": 0.12}
_SAID = {
    "all": "tables, all cells",
    "whole": "tables, whole-cell columns",
    "mixed": "tables, mixed and free-text columns",
    "da": "Danish sentences",
    "en": "English sentences",
}
OVER, LOST = 0.04, 0.05


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def figures(parts: tuple[str, ...] = PARTS) -> list[tuple[str, str, str]]:
    """What, how much, and what it must be."""
    told: list[tuple[str, str, str]] = []
    for part in parts:
        found = measure(part)
        for name, limit in LIMITS.items():
            told.append(
                (f"{part}: {_SAID[name]}, leak", _percent(found[name].leak), f"< {limit:.0%}".replace("%", " %"))
            )
            told.append(
                (f"{part}: {_SAID[name]}, strict", _percent(found[name].strict / max(found[name].marked, 1)), "")
            )
        told.append((f"{part}: tables, over-mask", _percent(found["all"].over), "< 4 %"))
        told += [(f"{part}: {_SAID[n]}, words lost", _percent(found[n].words_lost), "< 5 %") for n in ("da", "en")]
        kinds: Counter[str] = found["all"].by_kind + found["da"].by_kind + found["en"].by_kind
        leaks = found["all"].leaks_by_kind + found["da"].leaks_by_kind + found["en"].leaks_by_kind
        told += [(f"{part}: {kind}, leak of {n}", _percent(leaks[kind] / n), "") for kind, n in sorted(kinds.items())]
    return told


def main() -> None:
    """For whoever tunes: what went wrong in `dev`, column by column; `held` is never shown."""
    found = measure("dev")
    wanted = sys.argv[1:]
    for name in ("all", "da", "en"):
        misses = [m for m in found[name].misses if not wanted or any(w in m[1] or w == m[0] for w in wanted)]
        seen: Counter[tuple[str, str]] = Counter()
        for kind, where, type_, value, text, masked in misses:
            seen[(kind, where)] += 1
            if seen[(kind, where)] <= (4 if name == "all" else 99):
                print(f"{kind:6} {where:28} {type_:12} {value!r:28} {text[:110]!r} -> {masked[:110]!r}")
        for (kind, where), n in seen.most_common():
            print(f"    {n:4} {kind} {where}")
    for row in figures():
        print(f"{row[0]:62} {row[1]:>8} {row[2]}")


if __name__ == "__main__":
    main()
