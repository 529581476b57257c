"""Runs the tests that lead to a source file: `make test-of FILE=engine/personal/mask.py`.

Those are the test files that import it or are called like it; if there are none, the tests of the room it is in.
"""

import re
import subprocess
import sys
from pathlib import Path

TESTS = Path("tests")


def leads_to(file: Path, test: Path) -> bool:
    """Whether a test file imports a module by its name, or is called like it."""
    module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    room, _, name = module.rpartition(".")
    text = test.read_text(encoding="utf-8")
    imported = rf"from {re.escape(room)} import \(?[^)\n]*\b{re.escape(name)}\b|\b{re.escape(module)}\b"
    return test.stem == f"test_{name.strip('_')}" or re.search(imported, text) is not None


def tests_of(file: Path) -> list[Path]:
    """The test files that lead to a source file, or the folder of the tests of its room."""
    found = sorted(test for test in TESTS.rglob("test_*.py") if leads_to(file, test))
    rooms = [TESTS / part for part in reversed(file.parent.parts) if (TESTS / part).is_dir()]
    return found or rooms[:1]


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("Name one file: make test-of FILE=engine/personal/mask.py")
    found = tests_of(Path(sys.argv[1]))
    if not found:
        sys.exit(f"No test imports {sys.argv[1]} or is called like it, and its folder has no tests.")
    print("\n".join(map(str, found)), flush=True)  # noqa: T201
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "--numprocesses", "2", *map(str, found)]).returncode)


if __name__ == "__main__":
    main()
