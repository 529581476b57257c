"""The conversation in the README, as the program holds it today: played, written down, compared by a test."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAID = [
    "run customers",
    "run products",
    "run orders",
    "run custmers",
    "why orders",
    "pii customers",
    "show revenue_by_country",
    "lineage revenue_by_country.revenue",
    "gdpr report customers",
]
BLOCK = re.compile(r"(<!-- conversation:.*?-->\n```\n)(.*?)(```\n)", re.DOTALL)


def play(folder: Path) -> str:
    """Says it all in a new home in `folder`, with sample data made now. Returns what a person would have seen."""
    shutil.copytree(ROOT / "pipelines", folder / "pipelines", ignore=shutil.ignore_patterns("*.csv"))
    subprocess.run([sys.executable, ROOT / "pipelines/data/make.py", folder / "pipelines/data"], check=True)
    program = "from core import settings\nfrom atlas import talk\nimport sys\n"
    program += "sys.exit(talk.chat(settings.load(), None, sys.argv[1:], hear=False) and 0)"
    done = subprocess.run(
        [sys.executable, "-c", program, *SAID],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout.rstrip("\n") + "\n"


def steady(text: str) -> str:
    """The same without what differs from one hour or machine to the next: durations and times of the day."""
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", re.sub(r"\b\d+\.\d s\b", "N s", text))


def written() -> str:
    """The conversation as the README has it."""
    found = BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "README.md has no conversation"
    return found[2]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        text = play(Path(name))
        picture = Path(name) / ".atlas/reports/lineage-revenue_by_country.revenue.png"
        (ROOT / "docs/pictures").mkdir(exist_ok=True)
        shutil.copy(picture, ROOT / "docs/pictures/lineage.png")
    readme = ROOT / "README.md"
    new = BLOCK.sub(lambda m: m[1] + text + m[3], readme.read_text(encoding="utf-8"))
    readme.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
