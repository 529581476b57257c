"""Bounds what connections take: uvicorn waits for ever for a request, and for a client that does not read."""

import asyncio
from collections import Counter
from typing import Any
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from core import networks

MOST = 500  # connections of a server; uvicorn's own limit is larger, because the requests of closed ones still end
MOST_OF_ONE = 120  # connections from one network, unless it is a trusted proxy
AT_A_TIME = 16_384  # bytes that are parsed before the limits of h11 are looked at, and that a client must read in time


class Room:
    """The connections of a server: how many each network has, and which may be closed, oldest first."""

    def __init__(self) -> None:
        self.of = Counter[str]()
        self.waiting: dict[Patience, None] = {}

    def make(self, new: "Patience") -> None:
        """Closes the oldest of those that may be, if there are too many; the new one is closed if there is no other."""
        self.of[new.network] += 1
        self.waiting[new] = None
        if self.of[new.network] > MOST_OF_ONE and not new.from_proxy:
            next(old for old in self.waiting if old.network == new.network).leave()
        elif self.of.total() > MOST:
            next(iter(self.waiting)).leave()


class Patience(H11Protocol):
    """Gives a connection so many seconds for each request line with its headers, and for each 16 KB that it reads.

    A connection whose request has not arrived as a whole, or whose client does not read the answer, may be closed at
    once to make room for others.
    """

    seconds = 10.0
    reading_seconds = 60.0
    _waiting: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _room: Room | None = None
    network = networks.UNKNOWN
    from_proxy = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()
        peer = self.client[0] if self.client else ""
        self.network = networks.near(peer)
        self.from_proxy = self.config.proxy_headers and networks.is_in(peer, self.config.forwarded_allow_ips or ())
        self._room = _rooms.setdefault(self.server_state, Room())
        self._room.make(self)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), AT_A_TIME):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + AT_A_TIME])
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked:
            self._stop()
        elif self._waiting is None:
            self._wait()
        self._place()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._place()
        if self.conn.their_state is h11.SEND_BODY:  # it was answered before its body came, which may never end
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_on(self.transport.get_write_buffer_size())
        self._place()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reading()
        self._place()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._stop_reading()
        self._out()
        super().connection_lost(exc)

    def leave(self) -> None:
        """Ends the connection at once."""
        self._out()
        self.transport.abort()

    def _place(self) -> None:
        """Notes whether it may be closed to make room: only who is answered, and reads, may not."""
        if self._room is None:
            return
        asked = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if asked and not self.flow.write_paused:
            self._room.waiting.pop(self, None)
        else:
            self._room.waiting.setdefault(self)

    def _out(self) -> None:
        if self._room is not None:
            self._room.waiting.pop(self, None)
            self._room.of[self.network] -= 1
            if not self._room.of[self.network]:
                del self._room.of[self.network]
            self._room = None

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _read_on(self, left: int) -> None:
        """Looks later whether the client has read any more of what is left."""
        self._reading = self.loop.call_later(self.reading_seconds, self._has_read, left)

    def _has_read(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > before - AT_A_TIME:
            self.transport.abort()
        else:
            self._read_on(left)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None


_rooms: WeakKeyDictionary[ServerState, Room] = WeakKeyDictionary()
