"""Files by a link: a chat that takes no files shows one, which whoever has it may fetch for some minutes."""

import base64
import binascii
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.deps import Caller, HomeDep, needs, request_id
from api.sealing import SealDep
from core.errors import BadInput, NotFound, Refused
from engine.store import audit, files
from engine.store.access import hashed
from engine.store.audit import Act
from engine.store.files import Shared

router = APIRouter(prefix="/api/v1/files", tags=["chat"])

GIVEN: dict[str, Any] = {"name": "table.csv", "kind": "text/csv", "content": "YSxiCjEsMgo="}
Kind = Literal["image/png", "application/pdf", "text/csv", "text/plain", "application/octet-stream"]
PATH = "/api/v1/files"
BYTES = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[str, Any] = {"content": dict.fromkeys(Kind.__args__, BYTES)}  # type: ignore[attr-defined]


class ToShare(BaseModel):
    """A file for the person a bot speaks for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [GIVEN]})

    name: str = Field(min_length=1, max_length=100)
    kind: Kind
    content: str = Field(max_length=900_000, description="In base64.")


class LinkToAFile(BaseModel):
    """Where it can be fetched, and for how long."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": f"https://atlas.example.dk{PATH}/4Zt…", "seconds": 900}]}
    )

    url: str
    seconds: int


@router.post("", status_code=201)
def share_file(given: ToShare, home: HomeDep, caller: Annotated[Caller, needs()], seal: SealDep) -> LinkToAFile:
    """Keep a file, encrypted, for some minutes, and learn the link that leads to it."""
    if caller.identity is None:
        raise Refused("There is nobody to give it to: no bot speaks for you here.", hint="Say it in Teams.")
    public = home.settings.public_url
    if public is None:
        raise Refused("Files cannot be fetched: `ATLAS_PUBLIC_URL` is not set.", hint="See docs/how-to/teams.md")
    try:
        content = base64.b64decode(given.content, validate=True)
    except binascii.Error:
        raise BadInput("content: is not base64") from None
    token = files.new_token()
    with home.database.write() as db:
        files.share(db, token, Shared(given.name, given.kind, seal.close(content, hashed(token))))
        caller.did(db, "file.share", given.name, secret=True)
    return LinkToAFile(url=f"{public.rstrip('/')}{PATH}/{token}", seconds=int(files.LASTS.total_seconds()))


@router.get("/{token}", response_class=Response, responses={200: FILE})
def fetch_file(
    token: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$", description="Of the link; there is no other key.")],
    request: Request,
    home: HomeDep,
    seal: SealDep,
) -> Response:
    """The file behind a link."""
    with home.database.read() as db:
        found = files.fetch(db, token)
    content = None if found is None else seal.open(found.sealed, hashed(token))
    if found is None or content is None:
        raise NotFound("This link is unknown, or older than 15 minutes.", hint="Say it again in the chat.")
    with home.database.write() as db:
        audit.append(db, Act(None, "link", request_id(request)), "file.fetch", found.name)
    shown = "inline" if found.kind == "image/png" else "attachment"
    headers = {"Content-Disposition": f"{shown}; filename*=UTF-8''{quote(found.name, safe='')}"}
    if found.kind == "image/png":  # a chat shows it inside of its own page
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return Response(content, media_type=found.kind, headers=headers)
