"""The keys that Teams signs its calls with: fetched without keeping anybody waiting, and again when they change."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import httpx
from jwt.algorithms import RSAAlgorithm

log = logging.getLogger("atlas.teams")

CHANNEL = "msteams"
OLD = 24 * 3600.0  # seconds after which keys are fetched again
AGAIN = 300.0  # seconds between two looks for a key that is not known: anybody can make up the name of one


@dataclass(frozen=True)
class Key:
    """What the SDK wants to know of a key."""

    public_key: Any
    endorsements: list[str]


class Keys:
    """The keys by name, from an OpenID document."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url, self._http = url, http
        self._keys: dict[str, Key] = {}
        self._fetched = self._asked = -OLD
        self._one = asyncio.Lock()

    async def get(self, name: object) -> Key:
        """Raises KeyError for a key that is unknown, or not for Teams."""
        if not isinstance(name, str):
            raise KeyError("a key has no name")
        wait = AGAIN if self._keys else 1.0
        now = time.monotonic()
        if (name not in self._keys or now - self._fetched > OLD) and now - self._asked > wait:
            async with self._one:
                if time.monotonic() - self._asked > wait:
                    await self._fetch()
        return self._keys[name]

    async def _fetch(self) -> None:
        """What was known stays known if nobody answers."""
        self._asked = time.monotonic()
        try:
            document = await self._json(self.url)
            told = await self._json(document["jwks_uri"])
            keys = {key["kid"]: _key(key) for key in told["keys"] if CHANNEL in key.get("endorsements", ())}
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("the keys of Teams cannot be fetched: %s", type(error).__name__)
            return
        self._keys, self._fetched = keys, self._asked

    async def _json(self, url: str) -> Any:
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.json()


def _key(told: dict[str, Any]) -> Key:
    return Key(RSAAlgorithm.from_jwk(json.dumps(told)), list(told["endorsements"]))
