"""The page that shows this API in a browser: Swagger UI from an installed package, nothing from elsewhere."""

import base64
import binascii
from collections.abc import Callable, Coroutine
from importlib import resources
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from api.deps import Caller, needs
from api.problems import answer
from core.errors import NotFound, Unauthenticated

BASIC = 'Basic realm="Atlas: any name, a token as password"'
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Atlas</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
# the default validator is on another server; a token is not kept after the page is closed
START = """SwaggerUIBundle({
  dom_id: "#page", url: "openapi.json", validatorUrl: null, persistAuthorization: false, deepLinking: true,
});
"""
KINDS = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
FILES = ("favicon-32x32.png", "start.js", "swagger-ui-bundle.js", "swagger-ui.css")


class BrowserRoute(APIRoute):
    """Takes a token as Basic password too: a browser that opens a page cannot send a bearer token."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            headers = [
                (name, _bearer(value) if name == b"authorization" else value) for name, value in request.headers.raw
            ]
            try:
                return await inner(Request({**request.scope, "headers": headers}, request.receive))
            except Unauthenticated as error:
                refusal = answer(error)
                refusal.headers.append("WWW-Authenticate", BASIC)
                return refusal

        return handle


router = APIRouter(prefix="/docs", route_class=BrowserRoute, include_in_schema=False)


@router.get("")
def page(_: Annotated[Caller, needs()]) -> Response:
    """This API, to read and to try."""
    return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@router.get("/{file}")
def part(file: str, _: Annotated[Caller, needs()]) -> Response:
    """A file of the page."""
    if file not in FILES:
        raise NotFound(f"The page has no file `{file}`.")
    content = (
        START.encode()
        if file == "start.js"
        else resources.files("fastapi_swagger.resources").joinpath(file).read_bytes()
    )
    return Response(content, media_type=KINDS[file.rpartition(".")[2]])


def _bearer(header: bytes) -> bytes:
    """`Basic` with a token as password as the `Bearer` it stands for; anything else as it is."""
    scheme, _, value = header.partition(b" ")
    if scheme.lower() != b"basic":
        return header
    try:
        return b"Bearer " + base64.b64decode(value, validate=True).partition(b":")[2]
    except binascii.Error:
        return header
