"""What of a source may be shown: references to secrets, never what they may stand for."""

import re
from typing import Any

HIDDEN = "(hidden)"
_REFERENCE = re.compile(r"\$\{secret:[^}]*\}")
_TELLING = re.compile(
    r"pass|pwd|secret|token|bearer|auth|credential|dsn|api_?key|private|cookie|header|sign", re.IGNORECASE
)
_OPEN = re.compile(r"(?<=://)[^/@\s]*@|(?<=\?).*")  # user and query of an address


def hidden(source: dict[str, Any]) -> dict[str, Any]:
    """A pipeline's source without what somebody may have written where only a reference to a secret should be."""
    return {key: _value(value, bool(_TELLING.search(key))) for key, value in source.items()}


def _value(value: Any, telling: bool) -> Any:
    if isinstance(value, dict):
        return {key: _value(inner, telling or bool(_TELLING.search(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner, telling) for inner in value]
    if not isinstance(value, str) or _REFERENCE.fullmatch(value):
        return value
    if telling:
        return HIDDEN
    return _OPEN.sub(HIDDEN, value) if "://" in value else value
