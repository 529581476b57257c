"""`make bench-pii`: how fast personal data is found and masked, and how well, in one run.

python -m bench.pii                    both; about ten minutes on two idle cores
python -m bench.pii speed --short      a few small tables
python -m bench.pii speed --long       also a million rows of free text: an hour
python -m bench.pii accuracy
python -m bench.pii --write            and the figures go into docs/reference/benchmarks.md
"""

import logging
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

PAGE = Path("docs/reference/benchmarks.md")
BEGIN, END = "<!-- bench-pii -->\n", "<!-- /bench-pii -->\n"
LIBRARIES = ("presidio-analyzer", "spacy", "duckdb", "polars", "pyarrow")


def main() -> None:
    words = [word for word in sys.argv[1:] if not word.startswith("--")] or ["speed", "accuracy"]
    options = {word for word in sys.argv[1:] if word.startswith("--")}
    if unknown := ({*words} - {"speed", "accuracy"}) | (options - {"--short", "--long", "--write"}):
        sys.exit(f"There is no {', '.join(sorted(unknown))}.\n\n{__doc__}")
    logging.disable(logging.ERROR)  # Presidio asks the network for a list of domains and tells that nobody answered
    rows: list[tuple[str, ...]] = []
    if "speed" in words:
        from bench.pii import speed

        sizes = speed.SHORT if "--short" in options else speed.LONG if "--long" in options else speed.SIZES
        memory = (100_000,) if "--short" in options else speed.MEMORY
        for figure in speed.figures(sizes, memory):
            rows.append(tell(figure.name, figure.value, figure.must, figure.aim))
    if "accuracy" in words:
        from bench.pii import accuracy

        for figure in accuracy.figures():
            rows.append(tell(*map(str, figure)))
    if "--write" in options:
        _write(rows)


def tell(name: str, value: str, must: str = "-", aim: str = "-") -> tuple[str, ...]:
    print(f"{name:<62} {value:>16}   must: {must:<9} aim: {aim}", flush=True)
    return name, value, must, aim


def _write(rows: list[tuple[str, ...]]) -> None:
    memory = psutil.virtual_memory().total / 1e9
    said = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines = [
        f"What `make bench-pii` printed on {datetime.now(UTC).date()}, on {os.cpu_count()} cores of a shared machine "
        f"(load {os.getloadavg()[1]:.0f}), {memory:.0f} GB, Python {platform.python_version()}; {said}.",
        "",
        "| what | measured | must | aim |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + END + rest.partition(END)[2], encoding="utf-8")


main()
