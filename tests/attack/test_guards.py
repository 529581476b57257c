"""Each guard is needed: without it the attack it holds gets through, and a test here says so."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.attempts import Guard

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
_COPIED = ("core", "connectors", "engine", "api", "bot", "atlas", "tests", "pipelines", "deploy", "pyproject.toml")
_SECONDS = 240


def _guards() -> list[Guard]:
    modules = [importlib.import_module(f"tests.attack.{path.stem}") for path in sorted(HERE.glob("test_*.py"))
               if path != Path(__file__)]  # fmt: skip
    return [guard for module in modules for guard in getattr(module, "GUARDS", [])]


GUARDS = _guards()
_NAMES = [f"{guard.file}-{number}" for number, guard in enumerate(GUARDS)]


@pytest.mark.parametrize("guard", GUARDS, ids=_NAMES)
def test_a_guard_stands_where_the_list_says(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.code) == 1
    assert (HERE / guard.test.partition("::")[0]).exists()


@pytest.mark.long
@pytest.mark.timeout(2 * _SECONDS)
@pytest.mark.parametrize("guard", GUARDS, ids=_NAMES)
def test_without_a_guard_something_gets_through(guard: Guard, tmp_path: Path) -> None:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    changed = tmp_path / guard.file
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace(guard.code, guard.without), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", f"tests/attack/{guard.test}", "-x", "-m", "", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True,
                           text=True, timeout=_SECONDS, check=False)  # fmt: skip
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout[-3000:] + ended.stderr[-1000:]
