"""Counts the attempts of all tests here and prints them at the end of the session."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.attack.attempts import Attempts

_ATTEMPT = "attempt"


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Iterator[Attempts]:
    """Where a test notes what it tried; at its end none may have got through."""
    made = Attempts()
    yield made
    request.node.user_properties += [(_ATTEMPT, name) for name in sorted(made.names)]
    assert made.names, "nothing was tried"
    assert not made.through, f"{len(made.through)} got through: {made.through[:20]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    tried = {tuple(value) for report in reports for key, value in report.user_properties if key == _ATTEMPT}
    if not tried:
        return
    failed = sum(report.failed and "/attack/" in report.nodeid for report in reports)
    families = Counter(family for family, _ in tried)
    counts = ", ".join(f"{family} {count}" for family, count in sorted(families.items()))
    terminalreporter.write_line(f"attack: {len(tried)} distinct attempts in {len(families)} families ({counts})")
    terminalreporter.write_line(f"attack: {'none got through' if not failed else f'{failed} tests failed'}")
