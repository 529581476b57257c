"""How an error becomes an answer: RFC 9457 problem details."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from starlette.exceptions import HTTPException
from structlog.contextvars import get_contextvars

from api.methods import allowed
from core.errors import AtlasError, NotFound, TooMany


class Replay(Exception):
    """This was done before; here is what was answered."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.answer = status, answer


def problem(status: int, code: str, detail: str, hint: str | None = None, **more: Any) -> JSONResponse:
    body = {"type": f"urn:atlas:problem:{code}", "title": code.replace("_", " "), "status": status, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if "retry_after" in more:
        headers["Retry-After"] = str(more["retry_after"])
    content = {**body, "code": code, "hint": hint, "request_id": get_contextvars().get("request"), **more}
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def answer(error: AtlasError) -> JSONResponse:
    return problem(error.status, error.code, error.message, error.hint, **error.members)


def bug(reference: str) -> JSONResponse:
    """The answer when something broke that no error of ours stands for; the log has its place under the reference."""
    return problem(500, "bug", f"A bug in Atlas, reference {reference}.", "The log has more under this reference.")


def no_database() -> JSONResponse:
    return problem(503, "unavailable", "The database does not answer.", "Try again in a moment.", retry_after=5)


def install(app: FastAPI) -> None:
    """Every error that is raised on purpose is answered here; others in `api/observe.py`, outside of all else."""

    @app.exception_handler(AtlasError)
    def on_purpose(request: Request, error: AtlasError) -> JSONResponse:
        caller = getattr(request.state, "caller", None)
        too_many = isinstance(error, TooMany)  # callers that ask too often must not fill the audit log
        if caller is not None and not too_many and (error.status == 403 or request.method not in ("GET", "HEAD")):
            caller.refused(request, error.code)
        if caller is not None and caller.only is not None and isinstance(error, NotFound):
            error.hint, error.members = None, {}  # the nearest names are those of what the token is not let to
        return answer(error)

    @app.exception_handler(Replay)
    def done_before(_: Request, replay: Replay) -> Response:
        headers = {"Idempotency-Replayed": "true"}
        if replay.status == 204:
            return Response(status_code=204, headers=headers)
        return JSONResponse(replay.answer, replay.status, headers)

    @app.exception_handler(IntegrityError)
    def at_the_same_moment(_: Request, __: IntegrityError) -> JSONResponse:
        return problem(409, "conflict", "Somebody else did the same at the same moment.", "Look, and ask again.")

    @app.exception_handler(OperationalError)
    @app.exception_handler(NoneFree)
    def database_is_away(_: Request, __: Exception) -> JSONResponse:
        return no_database()

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # where and why, never what: the value may be somebody's data
        fields = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        return problem(422, "bad_input", "; ".join(f"{f['field']}: {f['message']}" for f in fields), errors=fields)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        names = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
        told = problem(error.status_code, names.get(error.status_code, "http_error"), str(error.detail))
        if error.status_code == 405:
            told.headers["Allow"] = allowed(request)
        return told
