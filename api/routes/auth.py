"""Signing in with a password: an access token for minutes, a refresh token for the next one."""

from functools import partial
from typing import Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.deps import HomeDep, KeysDep, address, request_id
from engine.access import sign_in
from engine.access.sign_in import Pair
from engine.store import audit, sign_ins
from engine.store.audit import Act

router = APIRouter(prefix="/api/v1/auth", tags=["access"])

# threads that check passwords: each takes 64 MB and all cores for a moment, and others wait in line. Known networks
# have a thread of their own, so that tries from everywhere else do not delay people
FROM_KNOWN, FROM_UNKNOWN, COUNTING = CapacityLimiter(1), CapacityLimiter(1), CapacityLimiter(1)


class SignIn(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "anna", "password": "…"}]})

    user: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(min_length=1, max_length=256)


class Refresh(BaseModel):
    """The refresh token of a sign-in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"refresh_token": "refresh_…"}]})

    refresh_token: SecretStr = Field(min_length=1, max_length=255)


class SignedIn(BaseModel):
    """What a sign-in gives. The access token is a JWT; the refresh token is good for one exchange."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"access_token": "eyJ…", "refresh_token": "refresh_…", "token_type": "Bearer", "expires_in": 900}
            ]
        }
    )

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a kind
    expires_in: int = Field(description="Seconds until the access token ends.")


@router.post("/token")
async def get_token(request: Request, wanted: SignIn, home: HomeDep, keys: KeysDep) -> SignedIn:
    """Sign in. Every failure looks the same; after five of them, one has to wait."""
    password, where = wanted.password.get_secret_value(), address(request)
    known = await to_thread.run_sync(sign_in.let_try, home, wanted.user, where, limiter=COUNTING)
    check = partial(
        sign_in.sign_in, home, keys, wanted.user, password, where, request_id(request), known=known
    )  # fmt: skip
    return _answer(await to_thread.run_sync(check, limiter=FROM_KNOWN if known else FROM_UNKNOWN))


@router.post("/refresh")
def refresh_token(request: Request, wanted: Refresh, home: HomeDep, keys: KeysDep) -> SignedIn:
    """The next pair of tokens. A refresh token that is used twice ends its sign-in: one of the two was not you."""
    return _answer(sign_in.refresh(home, keys, wanted.refresh_token.get_secret_value(), request_id(request)))


@router.post("/logout", status_code=204)
def log_out(request: Request, wanted: Refresh, home: HomeDep) -> None:
    """End the sign-in of a refresh token, with its access tokens. An unknown one is nothing to end.

    Tokens that were made while signed in stay good for the scripts that use them: DELETE /tokens/ID ends them.
    """
    with home.database.write() as db:
        user = sign_ins.end_by_token(db, wanted.refresh_token.get_secret_value())
        if user is not None:
            audit.append(db, Act(user.name, "refresh token", request_id(request)), "sign-out", f"user {user.name}")


def _answer(pair: Pair) -> SignedIn:
    return SignedIn(access_token=pair.access, refresh_token=pair.refresh, expires_in=pair.seconds)
