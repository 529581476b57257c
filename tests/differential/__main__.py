"""Reads made sources with the real Atlas and prints what differs: `python -m tests.differential csv --seed 7`."""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # for tables this small, threads cost more than they save

from tests.differential import csv_files, postgres_tables, rest_lists
from tests.differential.reading import Outcome, Reader
from tests.differential.truth import Verdict

FAMILIES: dict[str, Any] = {"csv": csv_files, "rest": rest_lists, "postgres": postgres_tables}


@dataclass
class Report:
    """The verdicts of a family."""

    family: str
    seed: int
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def different(self) -> list[int]:
        return [number for number, verdict in self.verdicts.items() if verdict.status == "different"]

    def __str__(self) -> str:
        all_ = self.verdicts.values()
        told = Counter(verdict.status for verdict in all_)
        could = sum(v.kind.startswith("could be read") for v in all_)
        text = sum(v.text for v in all_)
        noise, masked = sum(v.noise for v in all_), sum(v.masked for v in all_)
        lines = [
            f"{self.family}: {len(all_)} cases, seed {self.seed}, {self.seconds:.0f} s",
            f"  equal               {told['equal']:5}   ({noise} with a note although there was nothing to say)",
            f"  told                {told['told']:5}",
            f"  refused             {told['refused']:5}   ({could} of them could be read)",
            f"  SILENTLY DIFFERENT  {told['different']:5}   ({text} of them only kept as text)",
            f"  columns not compared, because they were masked: {masked}",
        ]
        for title, status in (("silently different", "different"), ("told", "told"), ("refused", "refused")):
            kinds: dict[str, list[int]] = {}
            for number, verdict in self.verdicts.items():
                if verdict.status == status:
                    kinds.setdefault(verdict.kind, []).append(number)
            lines += [f"  {title}:"] if kinds else []
            for kind, numbers in sorted(kinds.items(), key=lambda item: -len(item[1])):
                shown = ", ".join(map(str, numbers[:6]))
                lines.append(f"    {len(numbers):4}  {kind}: {shown}{', …' if len(numbers) > 6 else ''}")
        return "\n".join(lines)


@contextmanager
def readers(**settings: str) -> Iterator[Callable[[], Reader]]:
    """Readers in folders of their own, closed and removed in the end."""
    opened: list[tuple[Reader, tempfile.TemporaryDirectory[str]]] = []

    def close() -> None:
        while opened:
            reader, folder = opened.pop()
            reader.close()
            folder.cleanup()

    def new() -> Reader:
        close()
        folder = tempfile.TemporaryDirectory(prefix="atlas-differential-", ignore_cleanup_errors=True)
        opened.append((Reader(Path(folder.name), **settings), folder))
        return opened[-1][0]

    try:
        yield new
    finally:
        close()


def run(family: str, numbers: range | list[int], seed: int, show: bool = False, say: Any = None) -> Report:
    """Reads the cases of these numbers."""
    made, report, began = FAMILIES[family], Report(family, seed), time.monotonic()
    with made.beside() as settings, readers(**settings) as new:
        reader = None
        for done, number in enumerate(numbers):
            if done % 200 == 0:  # a home with few datasets is as quick for the last as for the first
                reader = new()
            case = made.make(seed, number)
            outcome, verdict = case.read(reader)
            report.verdicts[number] = verdict
            if show:
                print(describe(case, outcome, verdict))
            if say and done % 100 == 99:
                say(f"{family}: {done + 1} cases, {len(report.different)} silently different")
    report.seconds = time.monotonic() - began
    return report


def describe(case: Any, outcome: Outcome, verdict: Verdict) -> str:
    lines = [
        f"--- {case.number}: {verdict.status.upper()} {verdict.kind}", f"difference: {verdict.detail}", case.shape(),
        f"answer ({outcome.state}): {outcome.answer}", f"published: {outcome.names}",
        *(f"  {row!r}"[:300] for row in outcome.rows[:6]),
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    asked.add_argument("family", nargs="*", choices=[*FAMILIES, []], help="by default all")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--count", type=int, help="cases of each family; by default all")
    asked.add_argument("--only", type=int, action="append", help="only these numbers; shows the source and the answer")
    wanted = asked.parse_args()
    bad = 0
    for family in wanted.family or FAMILIES:
        numbers = wanted.only or range(wanted.count or FAMILIES[family].COUNT)
        report = run(family, numbers, wanted.seed, bool(wanted.only), lambda text: print(text, file=sys.stderr))
        print(report, flush=True)
        bad += len(report.different)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
