"""Clients in the same process: no request from the network can pass for one."""

from starlette.types import ASGIApp, Receive, Scope, Send

_MARK = "atlas.inside"  # a server makes the scope itself, so nothing that is sent can set this


def inside(app: ASGIApp) -> ASGIApp:
    """The app as clients in this process call it."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, _MARK: True}, receive, send)

    return marked


def is_inside(scope: Scope) -> bool:
    return _MARK in scope
