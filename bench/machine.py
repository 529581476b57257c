"""What the benchmarks share: a folder of pipelines, and the command line in a process of its own."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ATLAS = [str(Path(sys.executable).parent / "atlas")]


def environment(folder: Path) -> dict[str, str]:
    """The settings of a home and pipelines in a folder, and nothing else of this machine's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ATLAS_")}
    return {**clean, "ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder / "pipelines")}


def atlas(folder: Path, *words: str, text: str = "", **more: str) -> tuple[str, float]:
    """What a command prints, and the seconds it took. Raises CalledProcessError."""
    start = time.perf_counter()
    done = subprocess.run(
        [*ATLAS, *words], env=environment(folder) | more, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout, time.perf_counter() - start


def peak_of_children_mb() -> float:
    """The most memory that any process started here has had, in MB (of 1,000,000 bytes)."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


def tell(name: str, figure: str, must: str) -> None:
    print(f"{name:<62} {figure:>14}   must: {must}", flush=True)
