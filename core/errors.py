"""Every error raised on purpose: its code, its HTTP status, whether trying again can help, and what to say."""

import math


class AtlasError(Exception):
    """Says what happened to which thing, the thing in backticks, and in `hint` what would work."""

    code = "failed"
    status = 500
    retry = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.members: dict[str, object] = {}  # more for machines: the nearest names, say


class NotFound(AtlasError):
    """The thing asked for does not exist."""

    code, status = "not_found", 404


class BadInput(AtlasError):
    """What was asked for or written cannot be understood."""

    code, status = "bad_input", 422


class BadPipeline(BadInput):
    """A pipeline file or model has a mistake; the message names file, line, value and what is allowed."""

    code = "bad_pipeline"


class Refused(AtlasError):
    """Understood, but not possible in the present state."""

    code, status = "refused", 409


class Unauthenticated(AtlasError):
    """Nobody says who is calling."""

    code, status = "unauthenticated", 401


class Forbidden(AtlasError):
    """The caller lacks a right; the message names it and who has it."""

    code, status = "forbidden", 403


class TooMany(AtlasError):
    """Too much was asked for in too short a time; after `seconds` it works again."""

    code, status, retry = "too_many", 429, True

    def __init__(self, message: str, *, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(message, hint=f"Try again in {self.seconds} s.")
        self.members["retry_after"] = self.seconds


class Misconfigured(AtlasError):
    """A setting is missing, unknown or malformed."""

    code = "misconfigured"


class TooLarge(AtlasError):
    """More was sent than is taken at once."""

    code, status = "too_large", 413


class TooSlow(AtlasError):
    """What was to come did not arrive in time."""

    code, status, retry = "too_slow", 408, True


class UnsupportedMediaType(AtlasError):
    """A body of another kind than is taken."""

    code, status = "unsupported_media_type", 415


class QueryStopped(AtlasError):
    """SQL that somebody wrote crashed the database engine or passed a limit; trying again would do the same."""

    code, status = "query_stopped", 422


class SourceUnavailable(AtlasError):
    """The source could not be reached; trying again can help."""

    code, status, retry = "source_unavailable", 502, True


class SourceMissing(AtlasError):
    """There is nothing where the source should be; trying again in a moment does not help."""

    code, status = "source_missing", 422


class SourceUnreadable(AtlasError):
    """The source was reached and is not what it should be; trying again does not help."""

    code, status = "source_unreadable", 422


class CannotWrite(AtlasError):
    """The disk is full, or the home may not be written to."""

    code, status = "cannot_write", 507


class DatabaseAway(AtlasError):
    """The metadata database went away in the middle; trying again can help."""

    code, status, retry = "database_away", 503, True


class Cancelled(AtlasError):
    """Somebody asked for this run to stop."""

    code, status = "cancelled", 409


class LeaseLost(AtlasError):
    """Another worker has taken this part over; whatever this one still does is refused."""

    code, status = "lease_lost", 409
