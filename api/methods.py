"""Which methods a path takes: what a 405 says in `Allow`."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match


def allowed(request: Request) -> str:
    """The methods of the routes that match; of a route that is written as the path is, its own alone."""
    scope = dict(request.scope)
    matching = [r for r in iter_route_contexts(request.app.routes) if r.matches(scope)[0] is not Match.NONE]
    exact = [route for route in matching if route.path == scope["path"]]
    return ", ".join(sorted({method for route in exact or matching for method in route.methods or ()}))
