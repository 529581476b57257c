"""The seal as a route's argument: what a chat leaves with us stands encrypted in the database."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from api.deps import HomeDep
from engine.home import masking_key
from engine.personal.seal import Seal


async def _seal(request: Request, home: HomeDep) -> Seal:
    """Made once: the masking key is held against the one this home was started with."""
    state = request.app.state
    if getattr(state, "seal", None) is None:
        state.seal = Seal(await run_in_threadpool(masking_key, home))
    seal: Seal = state.seal
    return seal


SealDep = Annotated[Seal, Depends(_seal)]
