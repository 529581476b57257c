"""The documentation is what the code is."""

import re
from pathlib import Path

from core.settings import load
from docs import generate

ROOT = Path(__file__).parent.parent


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in generate.pages().items():
        written = (generate.REFERENCE / name).read_text(encoding="utf-8")
        assert written == generate.MADE + text + "\n", f"docs/reference/{name} is old: make docs"


def test_the_example_of_settings_has_every_one_and_changes_nothing(tmp_path: Path) -> None:
    assert generate.EXAMPLE.read_text(encoding="utf-8") == generate.example(), ".env.example is old: make docs"
    uncommented = re.sub("(?m)^#(ATLAS_[A-Z_]+=.+)$", r"\1", generate.example())
    (tmp_path / "env").write_text(uncommented, encoding="utf-8")
    assert load({"ATLAS_ENV_FILE": str(tmp_path / "env")}).model_dump() == load({}).model_dump()


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
