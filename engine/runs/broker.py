"""A Celery broker inside one process: wakes its consumer at once, costs nothing while idle."""

import threading
import time
from queue import Empty
from typing import Any

from kombu import transport
from kombu.transport import memory

URL = "inproc://localhost/"
transport.TRANSPORT_ALIASES["inproc"] = "engine.runs.broker:Transport"

_changed = threading.Condition()
_changes = 0


def stir() -> None:
    """Wakes every consumer, so that it looks for messages or notices that it is to stop."""
    global _changes
    with _changed:
        _changes += 1
        _changed.notify_all()


class Channel(memory.Channel):  # type: ignore[misc]
    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        stir()

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        super().basic_ack(delivery_tag, multiple)
        stir()  # the consumer may take its next message now


class Transport(memory.Transport):  # type: ignore[misc]
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Delivers one message. Raises TimeoutError (socket.timeout) if none comes in `timeout` seconds."""
        end = time.monotonic() + (timeout if timeout is not None else 3600)
        while True:
            seen = _changes
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except Empty:
                left = end - time.monotonic()
                with _changed:
                    arrived = left > 0 and _changed.wait_for(lambda seen=seen: _changes != seen, left)  # type: ignore[misc]
                if not arrived or getattr(connection, "stopping", False):
                    raise TimeoutError from None
            else:
                return
