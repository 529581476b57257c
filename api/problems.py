"""How an error becomes an answer: RFC 9457 problem details."""

import logging
import traceback
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import AtlasError

log = logging.getLogger("atlas.api")


def problem(status: int, code: str, detail: str, hint: str | None = None, **more: Any) -> JSONResponse:
    body = {"type": f"urn:atlas:problem:{code}", "title": code.replace("_", " "), "status": status, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    content = {**body, "code": code, "hint": hint, **more}
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Every error of this app is answered here."""

    @app.exception_handler(AtlasError)
    def on_purpose(_: Request, error: AtlasError) -> JSONResponse:
        return problem(error.status, error.code, error.message, error.hint, **error.members)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # where and why, never what: the value may be somebody's data
        fields = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        return problem(422, "bad_input", "; ".join(f"{f['field']}: {f['message']}" for f in fields), errors=fields)

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        names = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
        return problem(error.status_code, names.get(error.status_code, "http_error"), str(error.detail))

    @app.exception_handler(Exception)
    def bug(_: Request, error: Exception) -> JSONResponse:
        reference = uuid.uuid4().hex[:8]
        # the message of a library's exception may quote a cell, so only its kind and place are logged
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("bug %s: %s\n%s", reference, type(error).__name__, frames)
        return problem(500, "bug", f"A bug in Atlas, reference {reference}.", "The log has more under this reference.")
