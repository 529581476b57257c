"""The documentation is what the code is."""

import re
from pathlib import Path

from docs import generate

ROOT = Path(__file__).parent.parent


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in generate.pages().items():
        written = (generate.REFERENCE / name).read_text(encoding="utf-8")
        assert written == generate.MADE + text + "\n", f"docs/reference/{name} is old: make docs"


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
