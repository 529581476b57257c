"""What a refused request was about, for the audit log: names and numbers of ours, and nothing else that was sent."""

import json
import re
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from core.pipeline import NAME
from engine.store import access

BODY = "body"  # where `Inputs` keeps the body, in the state of a request

_NUMBER = re.compile(r"[0-9]{1,10}")
_NAME = re.compile(NAME)
_TABLE = re.compile(
    r"(?:(?:dataset|datasetField):[A-Za-z0-9_-]+:)?(?:chart\.)?((?:navigate\.)?[a-z][a-z0-9_]{0,62})(?:[.:].*)?"
)
_TOKEN = re.compile(r"t_[a-z2-7]{26}")
# the names of parameters and fields that say which kind of thing they name
_NOUNS = {"user": "user", "alert": "alert", "notice": "notice", "ruling": "ruling", "pipeline": "pipeline",
          "dataset": "dataset", "node": "node", "nodeId": "node"}  # fmt: skip
_SHAPES = {"pipeline": _NAME, "dataset": _NAME, "model": _NAME, "schedule": _NAME, "why": _NAME}


def about(db: Session, request: Request) -> str:
    """The dataset, run, user and so on that a request named. Values of another shape are left out: they may be data."""
    path = request.scope["route"].path_format.split("/")
    named = [_named(db, _noun(path, place), request.path_params.get(part[1:-1])) for place, part in enumerate(path)
             if part.startswith("{")]  # fmt: skip
    named += [_named(db, _NOUNS[key], value) for key, value in request.query_params.items() if key in _NOUNS]
    body = _body(request)
    named += [_named(db, _NOUNS[key], value) for key, value in body.items() if key in _NOUNS]
    if path[-1] == "reveal":
        named.append(_shown("token", _TOKEN.fullmatch(str(body.get("token")))))
    return ", ".join(dict.fromkeys(filter(None, named)))


def _noun(path: list[str], place: int) -> str:
    """What `{name}` or `{number}` is of: the collection before it says so."""
    name = path[place][1:-1]
    return _NOUNS.get(name, path[place - 1].removesuffix("s"))


def _named(db: Session, noun: str, value: Any) -> str:
    text = str(value)
    if noun == "node":
        match = _TABLE.fullmatch(text)
        return f"dataset {match[1]}" if match else ""
    if noun == "user":  # only of users there are: people type all sorts of names
        return f"user {text}" if access.users_named(db, text[:64]) else ""
    if noun == "why" and _NUMBER.fullmatch(text):
        noun = "run"
    return _shown(noun, _SHAPES.get(noun, _NUMBER).fullmatch(text))


def _shown(noun: str, match: re.Match[str] | None) -> str:
    return f"{'dataset' if noun == 'why' else noun} {match[0]}" if match else ""


def _body(request: Request) -> dict[str, Any]:
    """The fields of the body. It is JSON by now; one that was not read yet has none."""
    try:
        found = json.loads(request.scope["state"].get(BODY) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
