"""Forwards saved lineage events to a server that speaks OpenLineage, in the background: it may be down."""

import logging
import threading
from collections.abc import Callable

from engine import faults
from engine.lineage import events

log = logging.getLogger("atlas.lineage")

PAUSE_SECONDS = 1.0
LONGEST_PAUSE = 60.0

Unsent = Callable[[], list[tuple[int, dict[str, object]]]]


def keep_forwarding(url: str, unsent: Unsent, sent: Callable[[int], None], stopping: threading.Event) -> None:
    """Sends what is unsent, oldest first, until told to stop. A server that is away is asked less and less often."""
    pause = PAUSE_SECONDS
    while not stopping.wait(pause):
        try:
            pause = PAUSE_SECONDS if _forward(url, unsent(), sent) else min(2 * pause, LONGEST_PAUSE)
        except Exception as error:  # noqa: BLE001 - must outlive a database that is away for a while
            log.warning("lineage events wait: %s", type(error).__name__)


def _forward(url: str, waiting: list[tuple[int, dict[str, object]]], sent: Callable[[int], None]) -> bool:
    """Whether the server takes events just now."""
    for number, body in waiting:
        result = events.forward(url, body)
        if not result.sent and result.retry:
            log.warning("lineage events wait: %s", result.reason)
            return False
        if not result.sent:
            log.error("lineage event %s was refused and will not be sent again: %s", number, result.reason)
        faults.point("forward.sent")
        sent(number)
        faults.point("forward.marked")
    return True
