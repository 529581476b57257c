"""The command line."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from atlas import people, start
from core.errors import AtlasError
from core.settings import Settings

app = typer.Typer(
    name="atlas",
    help="A data-operations platform that people run by talking to it. Try: atlas chat",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db = typer.Typer(help="The metadata database.", no_args_is_help=True)
app.add_typer(db, name="db")
app.add_typer(people.user, name="user")
app.add_typer(people.audit, name="audit")
app.add_typer(people.keys, name="keys")
app.command()(people.token)
app.command()(people.link)


def main() -> None:
    """Runs a command; an error that is no bug is told in one or two lines, and the exit code is 1."""
    start.loading()
    os.umask(0o077)  # files that Atlas writes are readable by their owner only
    try:
        app()
    except AtlasError as error:
        typer.echo(error.message, err=True)
        if error.hint:
            typer.echo(error.hint, err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads any more: `atlas events | head`
        sys.exit(0)


@app.command()
def chat(
    as_user: Annotated[str | None, typer.Option("--as", help="Speak as this user.", metavar="USER")] = None,
) -> None:
    """Talk to Atlas in this terminal; from a pipe, one message a line.

    Example: printf 'run customers\\nquality customers\\n' | atlas chat
    """
    from atlas import talk

    sys.exit(talk.chat(start.settings(talking=True), as_user))


@app.command(context_settings={"ignore_unknown_options": True})  # `--full` is part of what is said
def say(
    text: Annotated[list[str], typer.Argument(help="What you would say in the chat.", metavar="TEXT")],
    as_user: Annotated[str | None, typer.Option("--as", help="Speak as this user.", metavar="USER")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Say one thing, get one answer; waits for what it started. Exit 0 done, 1 refused or failed, 2 not understood.

    Example: atlas say "run customers" --json
    """
    from atlas import talk

    sys.exit(talk.say(start.settings(talking=True), " ".join(text), as_user, as_json))


@app.command()
def demo() -> None:
    """Run the sample pipelines and show what Atlas answers; with a terminal, go on talking.

    Example: make demo
    """
    from atlas import demo as show

    sys.exit(show.play(start.settings(talking=True)))


class Served(StrEnum):
    """What can be served alone."""

    api = "api"
    bot = "bot"


@app.command()
def serve(
    part: Annotated[Served | None, typer.Argument(help="Only this part: api, bot.", metavar="PART")] = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address.")] = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port.")] = None,
) -> None:
    """The API, a worker, the scheduler and the bot on the chat platforms that are configured; or one part alone.

    Example: atlas serve --port 8080
    """
    from atlas import chats
    from atlas import serve as server

    found = start.settings()
    match part:
        case None:
            sys.exit(server.serve(found, host, port))
        case Served.api:
            sys.exit(server.serve_api(found, host, port))
        case Served.bot:
            sys.exit(chats.serve(found))


@app.command()
def worker() -> None:
    """A worker: as many as you like, on as many machines, with ATLAS_BROKER_URL and ATLAS_DATABASE_URL set.

    Example: atlas worker
    """
    from atlas import serve as server

    sys.exit(server.work(start.settings()))


@app.command()
def beat() -> None:
    """Fires schedules, and offers the work of dead workers to others; as many as you like, each time is fired once.

    Example: atlas beat
    """
    from atlas import serve as server

    sys.exit(server.beat(start.settings()))


@app.command()
def mask(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, Excel, Parquet, or JSONL: all fields are masked.", metavar="FILE…")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the masked files go.", metavar="DIR")],
    findings: Annotated[Path | None, typer.Option(help="What was found, as JSON.", metavar="FILE.json")] = None,
) -> None:
    """Find and mask personal data in files, with no pipeline.

    A masked file is written as it was read; that of an Excel workbook is a CSV.

    Example: atlas mask customers.csv --out masked --findings findings.json
    """
    from engine.home import masking_key, open_home
    from engine.personal.mask_files import mask_files, masked_name

    settings = start.settings()
    new_key = settings.masking_key is None and not (settings.keys / "masking.key").exists()
    home = open_home(settings)
    start.loaded()
    left_out: dict[str, list[int]] = {}
    failed: dict[str, AtlasError] = {}
    assumed: dict[str, list[str]] = {}
    found = mask_files(
        files, out, masking_key(home), lambda name, bad: left_out.setdefault(name, []).extend(bad.lines),
        failed.__setitem__, lambda name, what: assumed.setdefault(name, []).append(what),
    )  # fmt: skip
    if findings:
        findings.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    written = {file.name: out / masked_name(file) for file in files}
    for name, columns in found.items():
        masked = {column: f["masked"] for column, f in columns.items() if f["masked"]}
        what = ", ".join(f"{column} ({count:,} cells)" for column, count in masked.items())
        typer.echo(f"{written[name]}: {what or 'nothing personal found'}")
    if new_key:
        typer.echo(f"Masked with a new key, kept in {settings.keys}: only hashes of the same key match.", err=True)
    for name, lines in left_out.items():
        where = ", ".join(map(str, lines[:5])) + (" …" if len(lines) > 5 else "")
        typer.echo(f"{name}: {len(lines):,} lines are no rows of the table and were left out: {where}", err=True)
    for name, notes in assumed.items():
        for note in notes:
            typer.echo(f"{name}: {note}.", err=True)
    for name, error in failed.items():
        typer.echo(f"{name} was not masked: {error.message} {error.hint or ''}".strip(), err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def events(
    run: Annotated[int | None, typer.Option(help="Only those of this run.", metavar="N")] = None,
) -> None:
    """The OpenLineage events, one JSON a line.

    Example: atlas events --run 12 | jq .eventType
    """
    from engine.home import open_home
    from engine.store import lineage, runs

    home = open_home(start.settings())
    with home.database.read() as session:
        if run is not None:
            runs.get(session, run)
        for event in lineage.events(session, run):
            sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


@app.command()
def check(
    pipeline: Annotated[str | None, typer.Argument(help="Only this one.", metavar="PIPELINE|MODEL")] = None,
) -> None:
    """Validate the pipeline files and models: every mistake with its line. Exit 1 if there is any.

    Names of columns are looked for in what is published. A column that is not published yet is a warning: it is new in
    the source, or the source is a database or an API, which only a run reads.

    Example: atlas check customers
    """
    from engine.check import check as mistakes_of

    found = start.settings()
    checked, mistakes = mistakes_of(found.pipelines, pipeline, found.secret, found.roots, _published(found))
    for mistake in mistakes:
        typer.echo(str(mistake))
    if not all(mistake.warning for mistake in mistakes):
        raise typer.Exit(1)
    warned = f", {len(mistakes)} {'warning' if len(mistakes) == 1 else 'warnings'}" if mistakes else ""
    typer.echo(f"{checked}: no mistakes{warned}.")


def _published(settings: Settings) -> dict[str, dict[str, str]]:
    """The columns of what is published, by dataset; nothing is made or migrated to find out."""
    from sqlalchemy.exc import SQLAlchemyError

    from engine.store import datasets
    from engine.store.database import HEAD, Database

    if settings.database.startswith("sqlite:///") and not Path(settings.database[len("sqlite:///") :]).exists():
        return {}
    try:
        database = Database(settings.database)
        if database.revision() != HEAD:
            return {}
        with database.read() as session:
            return {dataset.name: dict(version.columns) for dataset, version in datasets.current(session)}
    except SQLAlchemyError as error:
        typer.echo(f"What is published is not known: the database does not answer ({type(error).__name__}).", err=True)
        return {}


@app.command()
def settings() -> None:
    """Every setting with its value; secrets are hidden.

    Example: atlas settings
    """
    for variable, value, description in start.settings().shown():
        typer.echo(f"{variable} = {value}\n    {description}")


@db.command()
def upgrade(
    grant_to: Annotated[
        str | None, typer.Option(help="PostgreSQL: let this role work with it.", metavar="ROLE")
    ] = None,
) -> None:
    """Migrate the database to what this Atlas needs. The role that Atlas works as need not own the tables: then it
    cannot change the audit log.

    Example: ATLAS_DATABASE_URL=postgresql://owner@db/atlas atlas db upgrade --grant-to atlas
    """
    from engine.store.database import HEAD, Database, grant, migrate

    settings = start.settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    migrate(database, HEAD)
    if grant_to is not None:
        grant(database, grant_to)
    typer.echo(f"The database is at migration {HEAD}.")


@db.command()
def downgrade(revision: Annotated[str, typer.Argument(metavar="REV")]) -> None:
    """Take the database back to an earlier migration; `base` is empty.

    Example: atlas db downgrade base
    """
    from engine.store.database import Database, migrate

    migrate(Database(start.settings().database), revision, down=True)
    typer.echo(f"The database is at migration {revision}.")
