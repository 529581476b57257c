"""Log lines of one process, one JSON object each."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from core.errors import Misconfigured


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps(line, ensure_ascii=False)  # one line whatever the message holds


def configure(level: str, file: Path | None = None) -> None:
    """Our own log at the level asked for, on stderr or into a file; libraries only when something is wrong, as they
    may quote data."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"`{file.parent}` cannot be made: {error.strerror}.", hint="Set ATLAS_HOME.") from error
        handler = logging.FileHandler(file, encoding="utf-8", delay=True)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.getLogger("atlas").setLevel(level)
    # these say on their own account that they lost a connection or a message; the database tells us what is left
    logging.getLogger("opsdroid").setLevel(logging.CRITICAL)
