"""What a person's ruling makes of a verdict: it says what the column holds, the pipeline file what is done with it."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from core.models import ColumnType, Ruling, Verdict
from core.pipeline import Action, ColumnPolicy
from engine.explore.types import text_is_known
from engine.personal.recognizer import recognizer

# how much each action hides of a column
_HIDES = {"partial": 2, "generalize": 2, "tokenize": 3, "hash": 3, "redact": 4}


def found(verdict: Verdict) -> Verdict:
    """The verdict as it would be without any ruling."""
    return Verdict.from_json(verdict.options["found"]) if "found" in verdict.options else verdict


def ruled(
    verdict: Verdict, ruling: Ruling | None, policy: ColumnPolicy | None, keyed: bool, type_: ColumnType, zone: str
) -> Verdict:
    """The verdict under a ruling, or without one. A personal type withdraws a `keep` of the pipeline file."""
    before = found(verdict)
    if ruling is None:
        return before
    on = ruling.at.astimezone(ZoneInfo(zone)).date()
    reason = f"ruled {ruling.type or 'not personal'} by {ruling.by} on {on}"
    reason += f": {ruling.because}" if ruling.because else ""
    options = {"ruling": ruling.id, "found": before.as_json()}
    action: Action
    if policy and not (ruling.personal and policy.action == "keep"):
        options |= {"decided": True} | ({"to": policy.to} if policy.to else {})
        reason, action = f"{reason}; the pipeline file says {policy.action}", policy.action
    elif not ruling.personal:
        options["decided"], action = True, "keep"
    elif keyed:
        action = "hash"
    else:
        kind = recognizer(str(ruling.type))
        options, action = {**kind.options, **options}, kind.action  # type: ignore[assignment]  # a name of an action
    if policy and policy.action == "keep" and ruling.personal:
        reason += "; this withdraws the keep of the pipeline file"
    if action == "generalize" and type_.format:
        options["format"] = type_.format
    types = (ruling.type,) if ruling.type else ()
    return Verdict(verdict.column, types, 1.0, reason, action, options, "column")


def tightens(published: Verdict, wanted: Verdict, type_: ColumnType) -> bool:
    """Whether a column hides less than it is to hide."""
    return hides(wanted, type_) > hides(published, type_)


def hides(verdict: Verdict, type_: ColumnType) -> int:
    """How much of a column is hidden: more is more."""
    if verdict.action == "keep":
        scanned = type_.kind == "text" and not verdict.options.get("decided")
        return int(scanned)
    return _HIDES[verdict.action] if verdict.scope == "column" else 1


def without_raw_rows(published: Verdict, wanted: Verdict, type_: ColumnType) -> Verdict:
    """What can be done with the published cells: a label where the text that stood there is not known any more."""
    shortened = published.action != "keep" and published.scope == "column"
    if wanted.action in ("keep", "redact") or not (shortened or not text_is_known(type_)):
        return wanted
    why = f"a label until the next run, which says {wanted.action}: the text that stood there is not known any more"
    return replace(wanted, action="redact", reason=f"{wanted.reason}; {why}")
