"""The figures of an installation as Prometheus reads them. Labels are few and known: never a value, address or user."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.home import Home
from engine.ops.figures import KEPT_SECONDS, Figures, Look
from engine.personal.kinds import ONE_AND_MANY
from engine.store.figures import BUCKETS

MOST_NAMES = 100  # pipelines, datasets: those that ran last; each name is a series that Prometheus keeps
OTHER = "other"
Values = float | Mapping[str, float]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began: as many series again, for nobody


class Requests:
    """The requests that this process has answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "atlas_http_requests",
            "Requests answered by this process.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "atlas_http_request_seconds", "Seconds until a request was answered to its end, by this process.",
            ["method", "route"], buckets=SECONDS, registry=registry,
        )  # fmt: skip

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Metrics:
    """What /metrics says: the requests of this process, and the figures of the whole installation."""

    def __init__(self, home: Home, kept_seconds: float = KEPT_SECONDS) -> None:
        self._registry = CollectorRegistry()
        self.requests = Requests(self._registry)
        self._registry.register(_Installation(Figures(home, kept_seconds)))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Installation(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def describe(self) -> list[Metric]:
        return []  # else registering would ask the database

    def collect(self) -> Iterator[Metric]:
        look = self._figures.look()
        named = _newest(look.ended.last_run)
        yield from _runs(look, named)
        yield _steps(look)
        yield _counter("rows", "Rows of ended runs: in, out and rejected.", look.ended.rows, "kind")
        masked: dict[str, float] = {}
        for kind, cells in look.ended.masked.items():
            name = kind if kind in ONE_AND_MANY else OTHER
            masked[name] = masked.get(name, 0) + cells
        yield _counter("masked_cells", "Cells masked in ended runs, by kind of personal data.", masked, "kind")
        newest = _newest({dataset: run for dataset, (run, _) in look.ended.scores.items()})
        scores = {d: score for d, (_, score) in look.ended.scores.items() if score is not None and d in newest}
        yield _gauge(
            "score", "The newest score of a dataset, 0 to 100; none if nothing was measured.", scores, "dataset"
        )
        yield _gauge(
            "parts", "Parts of runs that are ready to be worked on, or are worked on.", look.now.parts, "state"
        )
        yield _gauge("queue_oldest_seconds", "How long a run with ready parts has not got on.", look.now.waiting)
        yield _gauge("wakeup_overdue_seconds", "How long a wake-up call has waited to be sent.", look.now.overdue)
        yield _gauge("workers", "Workers that live, by whether they work on runs.", look.workers, "state")
        yield _gauge("duty_failing", "Duties of processes and follow-ups of runs that fail: 1.", look.failing, "duty")
        taken_over = look.ended.taken_over + look.now.taken_over
        yield _counter("leases_expired", "Parts that were taken over from a worker that had gone.", taken_over)
        if look.unsent is not None:
            count, age = look.unsent
            yield _gauge("lineage_unsent_events", "Lineage events that wait to be forwarded.", count)
            yield _gauge("lineage_unsent_oldest_seconds", "How long the oldest of them has waited.", age)
        failed, blocked = look.now.failed_sign_ins, look.now.blocked_sign_ins
        yield _gauge("sign_in_failures", "Failed sign-ins that are remembered now.", failed)
        yield _gauge("sign_ins_blocked", "Networks, names, and names in a network, that may not sign in now.", blocked)
        yield _counter("audit_entries", "Entries in the audit log.", look.now.audit_entries)
        overdue, age, failing = look.now.notices
        yield _gauge("alerts", "Alerts that have not ended, but for those told at another.", look.now.alerts, "state")
        yield _gauge("notices_waiting", "Messages about alerts that should have been sent or edited.", overdue)
        yield _gauge("notices_waiting_seconds", "How long the one that waits longest has waited.", age)
        yield _gauge("notices_failing", "Messages about alerts that could not be sent the last time.", failing)


def _runs(look: Look, named: set[str]) -> Iterator[Metric]:
    ended = CounterMetricFamily("atlas_runs_ended", "Runs that have ended.", labels=["pipeline", "state"])
    active = GaugeMetricFamily("atlas_runs_active", "Runs that are queued or running.", labels=["state"])
    sums: dict[tuple[str, str], int] = {}
    for (pipeline, state), count in look.ended.runs.items():
        key = (pipeline if pipeline in named else OTHER, state)
        sums[key] = sums.get(key, 0) + count
    for key, count in sums.items():
        ended.add_metric(key, count)
    for state in ("queued", "running"):
        active.add_metric([state], look.now.runs.get(state, 0))
    yield ended
    yield active


def _steps(look: Look) -> Metric:
    family = HistogramMetricFamily("atlas_step_seconds", "Seconds that parts of ended runs took.", labels=["step"])
    for step, sums in look.ended.steps.items():
        within = [(f"{most}", float(count)) for most, count in zip(BUCKETS, sums.within, strict=True)]
        family.add_metric([step], [*within, ("+Inf", float(sums.parts))], sums.seconds)
    return family


def _counter(name: str, told: str, value: Values, label: str = "") -> Metric:
    return _filled(CounterMetricFamily(f"atlas_{name}", told, labels=[label] if label else []), value)


def _gauge(name: str, told: str, value: Values, label: str = "") -> Metric:
    return _filled(GaugeMetricFamily(f"atlas_{name}", told, labels=[label] if label else []), value)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, value: Values) -> Metric:
    """With one value, or one for each value of its label."""
    if isinstance(value, Mapping):
        for name, number in value.items():
            family.add_metric([name], number)
    else:
        family.add_metric([], value)
    return family


def _newest(last_run: dict[str, int]) -> set[str]:
    return set(sorted(last_run, key=lambda name: last_run[name], reverse=True)[:MOST_NAMES])
