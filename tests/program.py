"""The program as its users run it: a command line in a process of its own, on a home and pipelines in a folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.homes import prepare

ROOT = Path(__file__).parent.parent
HANGS = 300.0  # seconds: what takes longer has stopped; no promise, for machines that do other things, too
COMMAND = [sys.executable, "-c", "from atlas.cli import main; main()"]


class Program:
    """`atlas` in a folder; `more` are settings beside ATLAS_HOME and ATLAS_PIPELINES.

    `fresh`: nothing is prepared, so that its first start makes the home.
    """

    def __init__(self, folder: Path, *, fresh: bool = False, **more: str) -> None:
        self.folder, self.home, self.pipelines = folder, folder / "home", folder / "pipelines"
        (self.pipelines / "navigate").mkdir(parents=True, exist_ok=True)
        if not fresh and not {"ATLAS_DATABASE_URL", "ATLAS_API_URL"} & more.keys():
            prepare(self.home)
        person = folder / "person"
        person.mkdir(exist_ok=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(person), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
            "ATLAS_HOME": str(self.home), "ATLAS_PIPELINES": str(self.pipelines), **more,
        }  # fmt: skip

    def pipeline(self, name: str, csv: str, more: str = "", model: str | None = None) -> None:
        """A pipeline over a CSV, and a model of its own if there is one: NAME_model."""
        (self.pipelines / f"{name}.csv").write_text(csv, encoding="utf-8")
        self.reads(name, f"{{connector: csv, path: {name}.csv}}", more)
        if model:
            (self.pipelines / "navigate" / f"{name}_model.sql").write_text(model, encoding="utf-8")

    def reads(self, name: str, source: str, more: str = "") -> None:
        """A pipeline over any source."""
        text = f"name: {name}\nowner: web-team\nsource: {source}\n{more}"
        (self.pipelines / f"{name}.yml").write_text(text, encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *words], env=self.environment, cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, cwd=self.folder, input=text, capture_output=True, text=True,
            timeout=HANGS,
        )  # fmt: skip

    def say(self, text: str) -> dict[str, Any]:
        """The answer as JSON, with its exit code under `exit`."""
        done = self.run("say", text, "--json")
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return {**answer, "exit": done.returncode}


def wait_for(what: Callable[[], bool], seconds: float = HANGS) -> bool:
    """Whether something comes true in time; looks often at first, for most of it comes at once."""
    end, pause = time.monotonic() + seconds, 0.01
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(pause)
        pause = min(0.1, pause * 1.3)
    return False


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    process.communicate(timeout=HANGS)
    return process.returncode
