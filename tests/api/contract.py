"""Every route is called with made-up requests, under every role, by a program that knows the OpenAPI document alone.

`python -m tests.api.contract` does it at length. A failure is printed with a `curl` line that shows it again.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.settings import load
from engine.home import open_home
from engine.store import access
from tests.program import Program, end, wait_for
from tests.test_servers import answers, free_port

NOBODY = "nobody"
SERVER_ERROR = "ST101"  # as the tester calls an answer of 500 and more
ROLES = (NOBODY, *access.ROLES)

# names that are there, so that many answers are 200, and names that should never have been asked for
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429"]
[dictionaries]
names = {{ values = [{names}] }}
numbers = {{ values = [1, 2, 3] }}
nodes = {{ values = [{nodes}] }}
[parameters]
"path.name" = {{ dictionary = "names", probability = 0.6 }}
"path.subject" = {{ dictionary = "names", probability = 0.6 }}
"path.number" = {{ dictionary = "numbers", probability = 0.6 }}
"query.node" = {{ dictionary = "nodes", probability = 0.6 }}
"query.nodeId" = {{ dictionary = "nodes", probability = 0.6 }}
"query.pipeline" = {{ dictionary = "names", probability = 0.5 }}
"query.dataset" = {{ dictionary = "names", probability = 0.5 }}

# it does as it is told and waits: there is nothing to take
[[operations]]
include-name = "POST /api/v1/notices/lease"
parameters = {{ "query.wait" = 0 }}

# no schema can say which schedule never comes, which password is too easy to guess, which letters of all languages are
# printed, and when a ruling needs a reason
[[operations]]
include-name = ["PUT /api/v1/users/{{user}}/password", "POST /api/v1/users",
                "POST /api/v1/datasets/{{name}}/pii/rulings", "PUT /api/v1/schedules/{{name}}"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""
NAMES = ("customers", "customers_model", "../customers", "customers' --", 'a"b', "${secret:X}")
NODES = (
    "customers", "customers.email", "customers_model", "navigate.customers_model.n", "dataset:atlas:customers",
    "datasetField:atlas:customers:email", "customers..", 'customers."x"', "dataset:", "::",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one role's calls."""

    role: str
    seed: int
    cases: int
    failures: int
    server_errors: int
    told: str  # what the tester printed

    def __str__(self) -> str:
        return (
            f"{self.role:9} seed {self.seed}  {self.cases:6} cases  {self.failures} failures  {self.server_errors} 5xx"
        )


class Served:
    """A served Atlas in a folder, with one finished run of `customers` and a user of every role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        no_limit = "100000000/minute"
        self.program = Program(
            folder, ATLAS_LOG_LEVEL="DEBUG", ATLAS_LIMIT_PER_ADDRESS=no_limit, ATLAS_LIMIT_PER_TOKEN=no_limit,
            ATLAS_LIMIT_SIGN_IN=no_limit,
        )  # fmt: skip
        self.program.pipeline(
            "customers",
            "customer_id,name,email,country\n1,Åse Kjærgaard,aase@mail.example,DK\n2,Bo Holm,bo@mail.example,SE\n3,x\n",
            "key: [customer_id]\nquality: {completeness: [email], validity: [{column: email, format: email}]}\n",
            "-- How many\nselect country, count(*) as n from customers group by 1",
        )
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["Served"]:
        log = (self.folder / "serve.log").open("w", encoding="utf-8")
        ran = self.program.say("run customers")
        assert ran["facts"]["state"] == "succeeded", ran
        command = [sys.executable, "-c", "from atlas.cli import main; main()", "serve", "--port", str(self.port)]
        process = subprocess.Popen(
            command, env=self.program.environment, cwd=self.folder, stdout=log, stderr=log, text=True
        )
        try:
            assert wait_for(lambda: answers(f"{self.url}/readyz"))
            yield self
        finally:
            code = end(process, signal.SIGTERM)
            log.close()
        assert code in (0, 130), self.log[-2000:]  # 130: a run was still being worked on, and is left to others

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")

    def token(self, role: str) -> str:
        """A token for a user who has this role; the user is made if need be."""
        home = open_home(load({"ATLAS_HOME": str(self.program.home), "ATLAS_PIPELINES": str(self.program.pipelines)}))
        try:
            with home.database.write() as db:
                try:
                    user = access.user(db, role)
                except NotFound:
                    user = access.add_user(db, role, role)
                return access.issue(db, user, 7200)
        finally:
            home.database.close()

    def document(self) -> Path:
        """The OpenAPI document as it is served, in a file."""
        path = self.folder / "openapi.json"
        if not path.exists():
            request = urllib.request.Request(f"{self.url}/openapi.json")
            request.add_header("Authorization", f"Bearer {self.token('viewer')}")
            with urllib.request.urlopen(request, timeout=30) as answer:
                path.write_bytes(answer.read())
        return path

    @property
    def bugs(self) -> list[str]:
        """What broke while it answered, as the log tells it."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if is_bug(line)]

    def called(self, role: str, seed: int, examples: int, *, bounded: bool = False) -> Outcome:
        """All calls of one role: examples, the edges of every schema, random ones, and chains of calls."""
        token = None if role == NOBODY else self.token(role)
        return called(self.document(), self.url, role, token, seed, examples, bounded=bounded)


def is_bug(line: dict[str, Any]) -> bool:
    """Whether a line of a server's log says that something broke for which there is no error of ours."""
    return line["logger"] == "atlas.api" and str(line["message"]).startswith("bug: ")


def called(
    document: Path, url: str, role: str, token: str | None, seed: int, examples: int, *, bounded: bool = False
) -> Outcome:
    """What comes of calling all that a document promises at an address; reports are written beside the document."""
    folder = document.parent
    report, config = folder / f"{role}.json", folder / f"{role}.toml"
    config.write_text(CONFIG.format(names=json.dumps(NAMES)[1:-1], nodes=json.dumps(NODES)[1:-1]), encoding="utf-8")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run", str(document),
        "--url", url, "--checks", "all", "--continue-on-failure", "--seed", str(seed), "--max-examples", str(examples),
        "--report", "json", "--report-json-path", str(report), "--warnings", "off",
        "--generation-allow-x00", "false",  # no route takes a NUL: tests/api/test_inputs.py
        "--request-timeout", "60", "--suppress-health-check", "all",
    ]  # fmt: skip
    if not bounded:
        command += ["--generation-database", "none"]
    else:
        command += ["--generation-deterministic", "--no-shrink", "--phases", "examples,fuzzing,stateful"]
    if token is not None:
        command += ["--header", f"Authorization:Bearer {token}"]
    done = subprocess.run(
        command, cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUTF8": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    cases = found["test_cases"]
    return Outcome(
        role,
        seed,
        cases["generated"],
        cases["unique_failures"] + cases["errored"] + len(found["errors"]),
        sum(group["count"] for group in found["failures"] if group["code"] == SERVER_ERROR),
        done.stdout + done.stderr,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="random requests for each route and role")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--role", choices=ROLES, action="append", help="only this role; may be given again")
    given = parser.parse_args()
    began, bad = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder)).running() as served:
        outcomes = []
        for role in given.role or ROLES:
            outcomes.append(outcome := served.called(role, given.seed, given.examples))
            if outcome.failures:
                sys.stdout.write(outcome.told)
            sys.stdout.write(f"{outcome}\n")
            sys.stdout.flush()
        for line in (bugs := served.bugs):
            sys.stdout.write(f"{line}\n")
        bad = sum(outcome.failures for outcome in outcomes) + len(bugs)
        cases, errors = sum(o.cases for o in outcomes), sum(o.server_errors for o in outcomes)
        sys.stdout.write(
            f"seed {given.seed}: {cases} cases, {bad} failures, {errors} 5xx, {len(bugs)} bugs in the log, "
            f"{time.monotonic() - began:.0f} s\n"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
