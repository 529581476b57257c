"""Commands about who may use Atlas: users, tokens, chat identities, signing keys, the audit log."""

import os
import pwd
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from atlas import start
from core.errors import BadInput, Misconfigured
from core.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.store.tables import Token

user = typer.Typer(help="Who may use Atlas.", no_args_is_help=True)
audit = typer.Typer(help="Who did or saw what.", no_args_is_help=True)
keys = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME")]
Role = Annotated[str, typer.Option(help="viewer, operator, steward, dpo or admin.")]


@contextmanager
def _writing(action: str, about: str) -> Iterator["Session"]:
    """A transaction that ends with its audit row."""
    from engine.home import open_home
    from engine.store import audit as log

    with open_home(start.settings()).database.write() as db:
        yield db
        log.append(db, log.Act(person(), "command line"), action, about)


@user.command("add")
def add_user(
    name: Name,
    role: Role = "viewer",
    owns: Annotated[list[str] | None, typer.Option(help="An owner, as pipeline files name it.")] = None,
) -> None:
    """Let somebody in. They need a password or a token to call the API.

    Example: atlas user add anna --role steward --owns crm-team
    """
    from engine.store import access

    with _writing("user.add", f"user {name}: {role}") as db:
        access.add_user(db, name, role, owns=owns or ())
    typer.echo(f"{name} may now use Atlas as {role}.")
    typer.echo(f"To sign in to the API they need a password: atlas user password {name}", err=True)


@user.command("change")
def change_user(
    name: Name,
    role: Annotated[str | None, typer.Option(help="Another role.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--ended", help="Whether they may use Atlas.")] = None,
    owns: Annotated[list[str] | None, typer.Option(help="An owner, as pipeline files name it.")] = None,
) -> None:
    """Another role, other datasets, or the end of a user. Their sign-ins end, with the tokens made from them.

    Example: atlas user change anna --ended
    """
    from engine.store import access

    if role is None and active is None and owns is None:
        raise BadInput("Nothing is to be changed.", hint="Say --role, --owns, --active or --ended.")
    with _writing("user.change", f"user {name}") as db:
        row = access.change(db, name, role=role, active=active, owns=owns)
        left = access.tokens(db, row.id)
    owned = f" and owns {', '.join(row.owns)}" if row.owns else ""
    typer.echo(f"{name} is {row.role} now{owned}." if row.active else f"{name} may no longer use Atlas.")
    _tell_left(name, left)


@user.command("password")
def set_password(name: Name) -> None:
    """Set somebody's password: typed twice, or one line of a pipe. Their sign-ins end, with the tokens made from them.

    Example: atlas user password anna
    """
    from engine.access import passwords
    from engine.home import open_home
    from engine.store import access

    with open_home(start.settings()).database.read() as db:
        access.user(db, name)  # a mistyped name is told before a password is typed twice
    hashed = passwords.hashed(_typed(), name)
    with _writing("user.password", f"user {name}") as db:
        row = access.user(db, name)
        access.set_password(db, row, hashed)
        left = access.tokens(db, row.id)
    typer.echo(f"{name} signs in with the new password from now on.")
    _tell_left(name, left)


@user.command("list")
def list_users() -> None:
    """Everybody who may use Atlas, and who no longer may.

    Example: atlas user list
    """
    from engine.home import open_home
    from engine.store import access

    with open_home(start.settings()).database.read() as db:
        rows = access.users(db, None, 100_000)
    for row in rows:
        more = [f"owns {', '.join(row.owns)}"] if row.owns else []
        more += [] if row.active else ["ended"]
        typer.echo("  ".join([row.name, row.role, *more]))
    if not rows:
        typer.echo("Nobody yet. The owner of this home is administrator when they first say something.")


def token(
    name: Annotated[str, typer.Argument(metavar="USER")],
    ttl: Annotated[float, typer.Option(help="Seconds until it ends.", min=1, metavar="SECONDS")] = 3600,
    scope: Annotated[list[str] | None, typer.Option(help="Only this right; may be said again.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this dataset; may be said again.")] = None,
    purpose: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
) -> None:
    """A bearer token for the API, for an administrator on this machine. It is shown once.

    Example: curl -H "Authorization: Bearer $(atlas token anna)" localhost:8080/api/v1/runs
    """
    from engine.store import access

    with _writing("token.make", f"token of {name}") as db:
        owner = access.user(db, name)
        made = access.issue(db, owner, ttl, name=purpose, scopes=scope, datasets=dataset, by=person())
    typer.echo(made)


def link(
    code: Annotated[str, typer.Argument(metavar="CODE")],
    as_user: Annotated[str | None, typer.Option("--as", help="Confirm it for this user.", metavar="USER")] = None,
) -> None:
    """Confirm a code that you were given in a chat: from then on, that person in the chat is you.

    Example: atlas link K7MPQ-3XWRT
    """
    given = start.settings()
    if given.api_url is not None:
        typer.echo(_confirm_at(given, code))
        return
    from engine.store import access, links

    with _writing("link.confirm", "a code") as db:
        owner = access.user(db, as_user) if as_user else access.owner_of_the_home(db, person())
        row = links.confirm(db, code, owner)
    typer.echo(f"{row.person} in {row.platform} ({row.tenant}) is {owner.name} now.")


@audit.command("verify")
def verify(
    expected: Annotated[str | None, typer.Option(help="An end that was noted earlier.", metavar="ROW:HASH")] = None,
) -> None:
    """Read the whole audit log and say what was changed, is missing or stands in another order. Exit 1 if anything.

    Example: atlas audit verify --expected 812:9c41…
    """
    from engine.home import open_home
    from engine.store import audit as log

    if expected is not None and not re.fullmatch(r"[0-9]+:[0-9a-f]{64}", expected):
        raise BadInput(f"`{expected}` is no end of the log.", hint="Copy all of it: ROW:HASH, the hash has 64 digits.")
    with open_home(start.settings()).database.read() as db:
        found = log.verify(db, expected=expected)
    for row, what in found.wrong:
        typer.echo(f"row {row}: {what}")
    if found.wrong:
        raise typer.Exit(1)
    typer.echo(f"The audit log holds: {found.rows:,} rows.")
    if found.rows:
        typer.echo(f"Its end, to be noted elsewhere: {found.end}")


@keys.command("rotate")
def rotate() -> None:
    """A new key signs access tokens from now on; those that older keys signed hold until they end.

    Example: atlas keys rotate
    """
    from engine.access import signing

    folder = signing.folder(start.settings())
    kid = signing.rotate(folder)
    with _writing("keys.rotate", kid):
        pass
    typer.echo(f"{kid} in {folder} signs from now on.")


def person() -> str:
    """The operating-system user of this process, whatever its environment says."""
    return pwd.getpwuid(os.geteuid()).pw_name


def _tell_left(name: str, left: list[tuple["Token", str]]) -> None:
    """Lists the tokens that stay good because they do not go back to a sign-in."""
    for row, _ in left:
        typer.echo(f"Token {row.id} of {name} stays good until {row.expires_at:%Y-%m-%d}: {row.name or 'no name'}")
    if left:
        typer.echo("End one: DELETE /api/v1/tokens/ID", err=True)


def _typed() -> str:
    """A password from a person, twice, or a line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass("Password: ")
    if getpass("Again: ") != first:
        raise BadInput("The two are not the same.")
    return first


def _confirm_at(settings: Settings, code: str) -> str:
    """Confirms a code at a server."""
    import httpx

    if settings.token is None:
        raise Misconfigured("ATLAS_API_URL is set, ATLAS_TOKEN is not.", hint="Make one there: atlas token USER")
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    try:
        answer = httpx.post(
            f"{settings.api_url}/api/v1/links/confirm", json={"code": code}, headers=headers, timeout=30
        )
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Misconfigured(f"Nothing that is Atlas answers at ATLAS_API_URL ({type(error).__name__}).") from error
    if not answer.is_success:
        raise BadInput(str(told.get("detail", f"Atlas answered {answer.status_code}.")), hint=told.get("hint"))
    return f"{told['person']} in {told['platform']} ({told['tenant']}) is {told['user']} now."
