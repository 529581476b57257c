"""The token with which the bot speaks to Teams: fetched when it is needed, kept until it ends."""

import re
import time

import httpx

from bot.platforms.teams.answered import Answered
from bot.shared import Shared

SCOPE = "https://api.botframework.com/.default"
EARLY = 300.0  # seconds before its end that a token is exchanged
_WORD = re.compile(r"[a-z_]{1,50}")


class Tokens:
    """Signs in with the app's own id and secret."""

    def __init__(self, app_id: str, password: str, tenant: str, login_url: str, http: httpx.AsyncClient) -> None:
        self._url = f"{login_url.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        self._form = {
            "grant_type": "client_credentials", "client_id": app_id, "client_secret": password, "scope": SCOPE
        }  # fmt: skip
        self._http = http
        self.token = ""
        self._until = 0.0
        self._fetched = Shared(self._fetch)  # a failure is everybody's too: nobody waits for one after the other

    async def fresh(self) -> str:
        """A token that is good for a while. Raises Answered."""
        if time.monotonic() >= self._until:
            await self._fetched()
        return self.token

    def forget(self, token: str) -> None:
        """It is not taken any more."""
        if token == self.token:
            self._until = 0.0

    async def _fetch(self) -> None:
        try:
            answer = await self._http.post(self._url, data=self._form)
        except httpx.HTTPError as error:
            raise Answered(0, f"the sign-in: {type(error).__name__}") from None
        try:
            told = answer.json()
            if answer.status_code == 200:
                self.token = str(told["access_token"])
                self._until = time.monotonic() + max(float(told["expires_in"]) - EARLY, 1.0)
                return
            word = str(told.get("error", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            word = ""
        reason = word if _WORD.fullmatch(word) else str(answer.status_code)
        status = answer.status_code if answer.status_code >= 429 else 403
        raise Answered(status, f"the sign-in: {reason}", answer.headers.get("Retry-After"), later=True)
