"""The figures, for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.deps import Caller, needs
from api.slow import slow

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
@slow
def metrics(request: Request, _: Annotated[Caller, needs("read:metrics")]) -> Response:
    """Figures as Prometheus reads them."""
    return Response(request.app.state.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
