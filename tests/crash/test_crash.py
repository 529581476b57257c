"""The crash matrix in short, so that every change meets it; `make test-crash` runs the whole of it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.faults import FOLLOW_UPS, POINTS, STEPS
from engine.runs import follow_ups, steps
from tests.conftest import REQUIRED
from tests.crash.cluster import Cluster
from tests.crash.course import NOTHING, tried
from tests.crash.matrix import Matrix

ROOT = Path(__file__).parent.parent.parent
CALLED = re.compile(r'faults\.point\(f?"([^"]+)"\)')
# one of each fault, where it hurts
TRIALS = (
    ("publish.saved", "PostgreSQL restarted"),
    ("publish.written", "worker stopped"),
    ("navigate.published", "worker killed"),
    ("start.committed", "API killed"),
    ("explore.saved", "Redis restarted"),
    ("merge.written", "worker stopped"),
    ("chart.begun", "clock set back"),
    ("schedule.saved", "two schedulers"),
)
WITHOUT_FAULTS = (
    "pulse.kept", "merge.begun", "remask.begun", "again.saved", "end.saved", "cancel.saved", "reap.found",
    "schedule.due", "sweep.found",
)  # fmt: skip


def test_the_list_of_points_is_what_the_engine_calls() -> None:
    called = [
        point
        for folder in ("engine", "api")
        for path in (ROOT / folder).rglob("*.py")
        for point in CALLED.findall(path.read_text(encoding="utf-8"))
    ]
    called = [point for point in called if point not in ("duty.{duty.name}", "follow.{name}")]
    each = [point.replace("{claim.step}", step) for point in called for step in (STEPS if "{" in point else ("",))]
    assert sorted(each) == sorted(POINTS)
    assert sorted(FOLLOW_UPS) == sorted(follow_ups.FOLLOW_UPS)
    assert sorted(STEPS) == sorted(steps.NAMES)


@pytest.fixture(scope="module")
def servers() -> None:
    """What the matrix starts by itself."""
    there = (
        shutil.which("redis-server") and shutil.which("setpriv") and [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    )
    if not there:
        assert not REQUIRED, "redis-server, setpriv or PostgreSQL is not installed"
        # where services are required, as in CI, it has failed by now
        pytest.skip("needs redis-server, setpriv and PostgreSQL installed")


@pytest.fixture(scope="module")
def matrix(servers: None) -> Iterator[Matrix]:
    with Cluster(beats=1) as cluster:
        yield Matrix(cluster, seed=1)


@pytest.mark.services
def test_a_run_without_faults_comes_to_every_point(matrix: Matrix) -> None:
    for point in WITHOUT_FAULTS:
        assert tried(matrix, point, NOTHING).violations == [], point
    # duties and follow-ups have points of their own, which tests/attack/test_wedged.py comes to
    assert set(POINTS) - matrix.cluster.reached() == set()


@pytest.mark.services
@pytest.mark.parametrize(("point", "fault"), TRIALS, ids=lambda word: word.replace(" ", "-"))
def test_a_fault_loses_nothing_and_doubles_nothing(matrix: Matrix, point: str, fault: str) -> None:
    assert tried(matrix, point, fault).violations == []


@pytest.mark.services
@pytest.mark.long
def test_without_the_fence_the_matrix_fails(servers: None) -> None:
    with Cluster(beats=0, without_fence=True) as cluster:
        assert tried(Matrix(cluster, seed=1), "publish.written", "worker stopped").violations
