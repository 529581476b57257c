"""What a process of Atlas loads before it answers."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic", "altair", "celery", "duckdb", "jwt", "kombu", "matplotlib", "numpy", "polars", "presidio_analyzer",
    "pyarrow", "soda_core", "spacy", "sqlglot",
}  # fmt: skip


def says(sentence: str, home: Path) -> tuple[set[str], str]:
    """The modules that are loaded when it was said, and how the collector is set by then."""
    code = (
        "import gc, sys; from atlas.cli import main; sys.argv = ['atlas', 'say', sys.argv[1]]\n"
        "try: main()\nfinally: print(*gc.get_threshold(), *sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, sentence], capture_output=True, text=True, check=True, timeout=60,
        cwd=Path(__file__).parents[1], env={"ATLAS_HOME": str(home)},
    )  # fmt: skip
    *collector, modules = done.stderr.split("\n", 3)
    return set(modules.split()), " ".join(collector)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    says("help", home)  # makes its database
    return home


@pytest.mark.parametrize("sentence", ["help", "runs", "whoami", "datasets", "alerts"])
def test_an_answer_that_needs_no_data_loads_no_library_for_data(sentence: str, home: Path) -> None:
    modules, _ = says(sentence, home)
    assert HEAVY & modules == set()


def test_the_collector_works_again_when_people_are_answered(home: Path) -> None:
    _, collector = says("help", home)
    assert collector == " ".join(map(str, gc.get_threshold()))
