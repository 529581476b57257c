"""Forwards saved lineage events to a server that speaks OpenLineage, in the background: it may be down."""

import logging
from collections.abc import Callable

from engine import faults
from engine.lineage import events

log = logging.getLogger("atlas.lineage")

PAUSE_SECONDS = 1.0
LONGEST_PAUSE = 60.0

Unsent = Callable[[], list[tuple[int, dict[str, object]]]]


class ServerAway(Exception):
    """The server takes no events at present. The message is not for the log: it may hold an address."""


def forward(url: str, unsent: Unsent, sent: Callable[[int], None]) -> None:
    """Sends what is unsent, oldest first. Raises ServerAway; the events wait until the next call."""
    for number, body in unsent():
        result = events.forward(url, body)
        if not result.sent and result.retry:
            raise ServerAway(result.reason)
        if not result.sent:
            log.error("lineage event %s was refused and will not be sent again: %s", number, result.reason)
        faults.point("forward.sent")
        sent(number)
        faults.point("forward.marked")
