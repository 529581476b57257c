"""NOTICE names every package that is installed in production under a licence with conditions."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent

# what may be passed on with its notice alone, as packages write it
PERMISSIVE = frozenset(
    "0BSD|3-Clause BSD License|Apache 2.0|Apache License 2.0|Apache Software License|Apache-2.0|"
    "Apache-2.0 WITH LLVM-exception|BSD|BSD License|BSD 3-Clause License|BSD-2-Clause|BSD-3-Clause|CC0-1.0|CNRI-Python|"
    "ISC License (ISCL)|MIT|MIT License|MIT-0|PSF-2.0|Python Software Foundation License|Zlib".split("|")
)
_AND_OR = re.compile(r" (?:AND|OR) ")


def locked() -> list[str]:
    lines = (ROOT / "deploy" / "requirements.lock").read_text("utf-8").splitlines()
    return [found[1] for line in lines if (found := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==", line))]


def licences(name: str) -> list[str]:
    """What a package says of its licence, in the first of the places where it may; nothing if it says nothing."""
    told = metadata(name)
    classified = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    text = (told.get("License") or "").strip().split("\n")[0].strip()
    expression = told.get("License-Expression")
    return [expression] if expression else classified or ([text] if text else [])


def test_notice_names_every_package_whose_licence_is_not_plainly_permissive() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    names, installed, missing = locked(), 0, []
    for name in names:
        try:
            told = licences(name)
        except PackageNotFoundError:
            continue  # for another system or another Python
        installed += 1
        parts = [part for one in told for part in _AND_OR.split(one)]
        if parts and all(part in PERMISSIVE for part in parts):
            continue
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", notice):
            missing.append(f"{name}: {', '.join(told) or 'no licence stated'}")
    assert not missing, f"NOTICE lacks {missing}"
    assert installed > 0.9 * len(names), "the packages of production are not installed here"
