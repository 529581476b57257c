"""The routes a bot may call on behalf of somebody in a chat: those its skills need. All others are closed."""

from core.errors import Forbidden

_API = "/api/v1"
ROUTES = frozenset(
    f"{method} {_API}/{path}"
    for method, path in (
        ("GET", "me"),
        ("POST", "links/codes"),
        ("POST", "files"),
        ("GET", "pipelines"),
        ("GET", "datasets"),
        ("GET", "datasets/{name}/columns"),
        ("GET", "datasets/{name}/quality"),
        ("GET", "datasets/{name}/quality/trend"),
        ("GET", "datasets/{name}/quality/picture"),
        ("GET", "datasets/{name}/pii"),
        ("POST", "datasets/{name}/pii/rulings"),
        ("GET", "datasets/{name}/dead-letters"),
        ("POST", "datasets/{name}/replay"),
        ("PUT", "datasets/{name}/subscriptions/me"),
        ("DELETE", "datasets/{name}/subscriptions/me"),
        ("GET", "models/{name}/rows"),
        ("GET", "workers"),
        ("GET", "runs"),
        ("POST", "runs"),
        ("GET", "runs/{number}"),
        ("POST", "runs/{number}/cancel"),
        ("POST", "runs/{number}/retry"),
        ("GET", "why/{subject}"),
        ("GET", "lineage/explain"),
        ("GET", "lineage/picture"),
        ("GET", "schedules"),
        ("PUT", "schedules/{name}"),
        ("DELETE", "schedules/{name}"),
        ("GET", "alerts"),
        ("GET", "alerts/{alert}"),
        ("POST", "alerts/{alert}/ack"),
        ("POST", "alerts/{alert}/snooze"),
        ("POST", "alerts/{alert}/assign"),
        ("POST", "alerts/{alert}/resolve"),
        ("POST", "reveal"),
        ("GET", "gdpr/report"),
    )
)


def must_be_listed(method: str, path: str) -> None:
    """Raises Forbidden for a route that is not on the list, whoever the person in the chat is."""
    if f"{method} {path}" not in ROUTES:
        raise Forbidden(
            "This cannot be done from a chat.", hint="Use the command line, or call the API with a token of your own."
        )
