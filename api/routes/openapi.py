"""The OpenAPI document."""

from typing import Annotated, Any

from fastapi import APIRouter, Request

from api.deps import Caller, needs
from api.routes.docs import BrowserRoute

router = APIRouter(tags=["health"], route_class=BrowserRoute)


@router.get("/openapi.json")
def document(request: Request, _: Annotated[Caller, needs()]) -> dict[str, Any]:
    """What this API takes and answers, as OpenAPI 3.1."""
    described: dict[str, Any] = request.app.openapi()
    return described
