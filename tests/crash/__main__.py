"""Runs the crash matrix and prints its table: `python -m tests.crash --seed 7 --trials 220`."""

import argparse
import random
import signal
import sys
import time
from collections import Counter

from engine.faults import POINTS
from tests.crash.cluster import Cluster
from tests.crash.course import FAULTS, all_trials, means_something, tried
from tests.crash.matrix import Matrix, Trial


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    asked.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked.add_argument("--trials", type=int, default=220, help="spread over all points; 0 = every combination")
    asked.add_argument("--point", action="append", help="only these points")
    asked.add_argument("--fault", action="append", choices=FAULTS, help="only these faults")
    asked.add_argument("--without-fence", action="store_true", help="late writers are let through: it must fail")
    asked.add_argument("--default-lease", action="store_true", help="leases of 30 s")
    wanted = asked.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are taken down all the same
    print(f"seed {wanted.seed}", flush=True)
    chosen = [
        (point, fault) for point, fault in all_trials()
        if (not wanted.point or point in wanted.point) and (not wanted.fault or fault in wanted.fault)
    ]  # fmt: skip
    done = run(spread(chosen, wanted.trials, wanted.seed), wanted.seed, wanted.without_fence, wanted.default_lease)
    print(table(done))
    bad = [trial for trial in done if trial.violations]
    ends = dict(Counter(trial.state for trial in done))
    print(f"{len(done)} trials, {len(bad)} with violations, seed {wanted.seed}; ends: {ends}")
    sys.exit(1 if bad else 0)


def spread(chosen: list[tuple[str, str]], many: int, seed: int) -> list[tuple[str, str]]:
    """So many of them, in any order, each point and then each fault as often as any other."""
    dice = random.Random(seed)
    dice.shuffle(chosen)
    if not many or many >= len(chosen):
        return chosen
    taken: list[tuple[str, str]] = []
    points, faults = Counter[str](), Counter[str]()
    for _ in range(many):
        point, fault = min(chosen, key=lambda pair: (points[pair[0]], faults[pair[1]]))
        chosen.remove((point, fault))
        taken.append((point, fault))
        points[point] += 1
        faults[fault] += 1
    return taken


def run(
    trials: list[tuple[str, str]], seed: int, without_fence: bool = False, default_lease: bool = False
) -> list[Trial]:
    done = []
    with Cluster(lease=None if default_lease else 2.0, without_fence=without_fence) as cluster:
        matrix = Matrix(cluster, seed)
        begun = time.monotonic()
        for n, (point, fault) in enumerate(trials, 1):
            trial = tried(matrix, point, fault)
            done.append(trial)
            told = "; ".join(trial.violations) or "ok"
            at = time.monotonic() - begun
            print(
                f"{n:4} {at:6.0f} s  {point:20} {fault:22} {trial.state:10} {trial.seconds:5.1f} s  {told}", flush=True
            )
    return done


def table(done: list[Trial]) -> str:
    """Points down, faults across: trials, and how many of them were bad."""
    lines = ["| point | " + " | ".join(FAULTS) + " | trials |", "|---|" + "--:|" * (len(FAULTS) + 1)]
    for point in POINTS:
        here = [trial for trial in done if trial.point == point]
        cells = [
            "skipped" if means_something(point, fault) else _told([trial for trial in here if trial.fault == fault])
            for fault in FAULTS
        ]
        lines.append(f"| `{point}` | " + " | ".join(cells) + f" | {len(here)} |")
    each = [sum(trial.fault == fault for trial in done) for fault in FAULTS]
    lines.append("| **trials** | " + " | ".join(map(str, [*each, len(done)])) + " |")
    return "\n".join(lines)


def _told(trials: list[Trial]) -> str:
    bad = sum(bool(trial.violations) for trial in trials)
    return f"{len(trials)} ({bad} bad)" if bad else str(len(trials) or "·")


if __name__ == "__main__":
    main()
