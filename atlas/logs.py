"""Log lines of one process, one JSON object each, with the request, run, part, task and user they belong to."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from structlog.contextvars import merge_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from core.errors import Misconfigured

CONTEXT = ("request", "run", "part", "task")
# facts that our log lines pass in `extra`
FACTS = ("user", "method", "route", "status", "ms", "step", "outcome", "skill")
# JSON leaves these as they are; for some readers of logs they end a line or steer a terminal
ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def _line(_: Any, __: str, event: Any) -> dict[str, Any]:
    record: logging.LogRecord = event["_record"]
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    more = {name: event[name] for name in (*CONTEXT, *FACTS) if event.get(name) is not None}
    message = event["event"] if record.name.partition(".")[0] == "atlas" else _of_a_library(event)
    return {"at": at, "level": record.levelname, "logger": record.name, "message": message, **more}


def _of_a_library(event: Any) -> str:
    """What a library says; of one that tells an exception, whose message may quote a cell, only what it always says."""
    arguments = event["positional_args"] if isinstance(event["positional_args"], tuple) else ()
    told = [argument for argument in arguments if isinstance(argument, BaseException)]
    told += [event["exc_info"][1]] if event.get("exc_info") else []
    if not told:
        return str(event["event"])
    first = next(iter(str(event["_record"].msg).splitlines()), "")
    return f"{first} ({type(told[-1]).__name__})"


def _as_json(_: Any, __: str, line: Any) -> str:
    return json.dumps(line, ensure_ascii=False).translate(ESCAPED)  # one line whatever the message holds


def configure(level: str, file: Path | None = None) -> None:
    """Our own log at the level asked for, on stderr or into a file; libraries only when something is wrong, as they
    may quote data."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"`{file.parent}` cannot be made: {error.strerror}.", hint="Set ATLAS_HOME.") from error
        # text that cannot be encoded as UTF-8 is written as a JSON escape
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace", delay=True)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[merge_contextvars, ExtraAdder(FACTS), _line],
            processors=[_as_json],
            use_get_message=True,
            pass_foreign_args=True,
        )
    )
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.getLogger("atlas").setLevel(level)
    # these say on their own account that they lost a connection or a message; the database tells us what is left
    logging.getLogger("opsdroid").setLevel(logging.CRITICAL)
