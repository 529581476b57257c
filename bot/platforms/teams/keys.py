"""The keys that Teams signs its calls with: fetched once for all who wait for them, and again when they change."""

import contextlib
import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from jwt import PyJWTError
from jwt.algorithms import RSAAlgorithm

from bot.shared import Shared

log = logging.getLogger("atlas.teams")

CHANNEL = "msteams"
OLD = 24 * 3600.0  # seconds after which keys are fetched again
AGAIN = 300.0  # seconds between two looks for a key that is not known: anybody can make up the name of one
FAILED = 1.0  # seconds until an unknown key is looked for again after nobody answered


@dataclass(frozen=True)
class Key:
    """What the SDK wants to know of a key."""

    public_key: Any
    endorsements: list[str]


class NoKeys(Exception):
    """Nobody says now whether a key is Teams'; the caller may ask again later."""


class Keys:
    """The keys by name, from an OpenID document."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url, self._http = url, http
        self._keys: dict[str, Key] = {}
        self._fetched = self._asked = -OLD  # when keys came, and when they were last asked for
        self._failed = False  # the last time that they were asked for
        self._fetching = Shared(self._fetch)

    async def get(self, name: object) -> Key:
        """Raises KeyError for a key that is unknown or not for Teams, NoKeys if that cannot be found out now."""
        if not isinstance(name, str):
            raise KeyError("a key has no name")
        known, now = name in self._keys, time.monotonic()
        if not known or now - self._fetched > OLD:
            # a known key does for now, so it does not wait for a server that is away each second
            if now - self._asked > (FAILED if self._failed and not known else AGAIN):
                await self._fetching()
            if self._failed and name not in self._keys:
                raise NoKeys
        return self._keys[name]

    async def _fetch(self) -> None:
        """What was known stays known if nobody answers."""
        keys = None
        try:
            document = await self._json(self.url)
            told = await self._json(document["jwks_uri"])
            keys = dict(_named(told["keys"]))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("the keys of Teams cannot be fetched: %s", type(error).__name__)
        self._asked, self._failed = time.monotonic(), not keys
        if keys:
            self._keys, self._fetched = keys, self._asked

    async def _json(self, url: str) -> Any:
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.json()


def _named(told: Iterable[Any]) -> Iterator[tuple[str, Key]]:
    """The keys for Teams; a key that cannot be read is left out, the others count."""
    for key in told:
        with contextlib.suppress(PyJWTError, ValueError, KeyError, TypeError, AttributeError):
            if CHANNEL in key["endorsements"]:
                yield key["kid"], Key(RSAAlgorithm.from_jwk(json.dumps(key)), list(key["endorsements"]))
