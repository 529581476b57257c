"""Where Slack calls over HTTP: what does not carry Slack's signature is refused before anything of it is read."""

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.web import whole_body

LARGEST = 1_000_000  # bytes; Slack's own are far smaller
KINDS = ("application/json", "application/x-www-form-urlencoded")
SIGNATURE, TIMESTAMP = "x-slack-signature", "x-slack-request-timestamp"


class Door:
    """Lets in what is signed with the secret, not older or newer than five minutes, and hands it to bolt."""

    def __init__(self, app: AsyncApp, secret: str) -> None:
        self.app = app
        self._verifier = SignatureVerifier(secret)

    async def receive(self, request: Request) -> Response:
        body = await whole_body(request, LARGEST)
        if body is None or not self.signed(request, body):
            return JSONResponse({"error": "invalid request"}, 401)
        try:
            asked = to_async_bolt_request(request, body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # signed, and yet none of Slack's
            return JSONResponse({"error": "not understood"}, 403)
        return to_starlette_response(await self.app.async_dispatch(asked))

    def signed(self, request: Request, body: bytes) -> bool:
        headers = request.headers
        if any(len(headers.getlist(name)) != 1 for name in (SIGNATURE, TIMESTAMP, "content-type")):
            return False
        if headers["content-type"].partition(";")[0].strip().lower() not in KINDS:
            return False
        at, signature = headers[TIMESTAMP], headers[SIGNATURE]
        if not signature.isascii():  # only such text can be compared in constant time
            return False
        if not (at.isascii() and at.isdecimal() and len(at) < 12):
            return False
        return bool(self._verifier.is_valid(body, at, signature))
