"""Reads the definition that a run kept, perhaps a run of another version of Atlas. It is never refused."""

from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from core.pipeline import Pipeline

_NEEDED: dict[str, Any] = {"name": "unknown", "owner": "unknown", "source": {}}
_HIDDEN = "hash"  # hides a column and keeps it joinable


def read(name: str, definition: Any) -> Pipeline:
    """The pipeline of that name, without what this version does not understand.

    A column whose policy is not understood is hashed. The definition itself is not changed: unknown keys stay in it.
    """
    kept = deepcopy(definition) if isinstance(definition, dict) else {}
    while True:
        try:
            found = Pipeline.model_validate(kept)
        except ValidationError as error:
            _leave_out(kept, error.errors(include_url=False)[0])
        else:
            return found if found.name == name else found.model_copy(update={"name": name})


def _leave_out(kept: dict[str, Any], mistake: Any) -> None:
    """Takes out what a mistake is about. Each call takes something out or adds a key that is needed."""
    where = getattr(mistake.get("ctx", {}).get("error"), "where", mistake["loc"])
    there: list[tuple[Any, Any]] = []
    place: Any = kept
    for key in where:
        known = key in place if isinstance(place, dict) else isinstance(place, list) and key in range(len(place))
        if not known:
            break
        there.append((place, key))
        place = place[key]
    if len(there) <= 1 and where and where[0] in _NEEDED:
        kept[where[0]] = _NEEDED[where[0]]
    elif not there:  # a rule about the whole that names no place
        kept.clear()
        kept.update(_NEEDED)
    elif where[:2] == ("privacy", "columns") and len(there) >= 3:
        _hide(there[2][0], where, mistake["type"])
    else:
        del there[-1][0][there[-1][1]]


def _hide(columns: dict[str, Any], where: tuple[Any, ...], kind: str) -> None:
    column, policy = where[2], columns[where[2]]
    if "[key]" in where or policy == _HIDDEN:
        del columns[column]
    elif kind == "extra_forbidden" and policy.get("action") != "keep":
        del policy[where[3]]
    else:
        columns[column] = _HIDDEN
