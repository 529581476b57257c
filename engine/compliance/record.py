"""The record of processing activities (GDPR Art. 30(1)): what Atlas has seen, what people declared, what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.pipeline import Privacy

Cell = dict[str, Any]  # value, status (observed, declared or missing), source; of missing ones also `todo`

KINDS = {
    "PERSON": "names",
    "EMAIL": "e-mail addresses",
    "PHONE": "telephone numbers",
    "CPR": "Danish civil registration numbers (CPR)",
    "NATIONAL_ID": "national identification numbers",
    "ADDRESS": "postal addresses",
    "DATE_OF_BIRTH": "dates of birth",
    "IBAN": "bank accounts (IBAN)",
    "BANK_ACCOUNT": "bank accounts",
    "CREDIT_CARD": "payment card numbers",
    "IP": "IP addresses",
    "MAC": "device addresses (MAC)",
    "PASSPORT": "passport numbers",
    "LICENSE_PLATE": "vehicle registration numbers",
    "DRIVER_LICENSE": "driving licence numbers",
    "USERNAME": "user names",
    "PROFILE_URL": "links to personal profiles",
}
BASES = {
    "consent": "consent, Art. 6(1)(a)",
    "contract": "contract, Art. 6(1)(b)",
    "legal_obligation": "legal obligation, Art. 6(1)(c)",
    "vital_interests": "vital interests, Art. 6(1)(d)",
    "public_task": "public task, Art. 6(1)(e)",
    "legitimate_interests": "legitimate interests, Art. 6(1)(f)",
}
ACTIONS = {
    "hash": "hashed with a key",
    "redact": "redacted",
    "partial": "shortened",
    "generalize": "generalized",
    "tokenize": "tokenized",
    "keep": "not masked",
}


MEASURES = (
    "raw data lie in a folder that only the engine's own user can read",
    "every call needs a token of a known user, and rights go by role",
    "logs and errors hold counts and names of columns, no values",
    "rows of tables are shown only to those who may read models",
)


@dataclass(frozen=True)
class Activity:
    """What is known of the processing of one dataset.

    `verdicts` are dicts: column, types, confidence, reason, action, scope, rows, masked, and ruled, if a person has
    said so, with what was found else. `quality` has score, measured and dimensions; `version` has number, run, rows
    and published_at. `sources` are the names of what it is read from, `tables` those that are built from it;
    `subjects` are its columns that say who a row is about.
    """

    dataset: str
    owner: str = ""
    description: str = ""
    privacy: Privacy = field(default_factory=Privacy)
    verdicts: Sequence[Mapping[str, Any]] = ()
    quality: Mapping[str, Any] | None = None
    version: Mapping[str, Any] | None = None
    sources: Sequence[str] = ()
    tables: Sequence[str] = ()
    subjects: Sequence[str] = ()


def record(
    activities: Sequence[Activity],
    controller: Mapping[str, Any],
    now: datetime,
    *,
    measures: Sequence[str] = (),
    retention_enforced: bool = False,
    raw_retention_enforced: bool = False,
    timezone: str = "Europe/Copenhagen",
) -> dict[str, Any]:
    """The record as plain JSON values.

    `controller` may have name, contact, dpo and, where there are any, joint_controller and representative.
    `measures` are security measures that this installation is known to have, in words.
    """
    who = _controller(controller)
    shown = [
        _activity(activity, measures, retention_enforced, raw_retention_enforced, timezone)
        for activity in sorted(activities, key=lambda a: a.dataset)
    ]
    gaps: dict[str, dict[str, Any]] = {}
    for where, cells in (("controller", who), *((activity["dataset"], activity["cells"]) for activity in shown)):
        for cell in cells:
            if cell["status"] == "missing" and cell["needed"]:
                gap = {"what": cell["label"], "article": cell["article"], "todo": cell["todo"], "where": []}
                gaps.setdefault(cell["label"], gap)["where"].append(where)
    columns = [column for activity in shown for column in activity["columns"]]
    return {
        "title": "Record of processing activities",
        "basis": "GDPR Article 30(1)",
        "scope": [activity["dataset"] for activity in shown],
        "made_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "made_at_local": local_time(now, timezone),
        "timezone": timezone,
        "to_fill_in": list(gaps.values()),
        "attention": [text for activity in shown for text in activity["attention"]],
        "controller": who,
        "totals": {
            "datasets": len(shown),
            "rows": sum(activity["version"]["rows"] or 0 for activity in shown if activity["version"]),
            "missing": sum(len(gap["where"]) for gap in gaps.values()),
            **_counts(columns),
        },
        "activities": shown,
    }


def _counts(columns: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "personal_columns": sum(bool(column["types"]) for column in columns),
        "masked_columns": sum(column["is_masked"] for column in columns),
        "unmasked_columns": sum(bool(column["types"]) and not column["is_masked"] for column in columns),
    }


def local_time(moment: datetime, timezone: str) -> str:
    """`23 November 2026, 05:19`"""
    at = moment.astimezone(ZoneInfo(timezone))
    return f"{at.day} {at:%B %Y, %H:%M}"


def _cell(
    label: str, article: str, value: str | None, source: str, todo: str = "", *, status: str = "declared"
) -> Cell:
    if value:
        return {"label": label, "article": article, "value": value, "status": status, "source": source}
    missing = {"value": None, "status": "missing", "source": None, "todo": todo, "needed": True}
    return {"label": label, "article": article, **missing}


SETTING = {"name": "CONTROLLER_NAME", "contact": "CONTROLLER_CONTACT", "dpo": "DPO_CONTACT"}


def _controller(settings: Mapping[str, Any]) -> list[Cell]:
    asked = {
        "name": ("Controller", "the organisation that decides why and how the data are processed"),
        "contact": ("Contact of the controller", "an address, e-mail address or telephone number"),
        "dpo": ("Data protection officer", "name and contact, or that none is required and why"),
        "joint_controller": ("Joint controller", ""),
        "representative": ("Representative in the EU", ""),
    }
    cells = []
    for key, (label, what) in asked.items():
        value = str(settings.get(key) or "").strip()
        if value or what:  # the others are stated where there are any
            todo = f"Set ATLAS_{SETTING[key]}: {what}." if what else ""
            cells.append(_cell(label, "Art. 30(1)(a)", value, "settings", todo))
    return cells


def _activity(
    activity: Activity, measures: Sequence[str], enforced: bool, raw_enforced: bool, timezone: str
) -> dict[str, Any]:
    columns = [_column(verdict) for verdict in activity.verdicts]
    personal = [column for column in columns if column["types"]]
    cells = [
        *_purposes(activity),
        *_people(activity, personal),
        *_recipients(activity),
        *_retention(activity, enforced, raw_enforced),
        _measures(personal, measures),
    ]
    for cell in cells:  # where no personal data were found, nothing has to be stated about them
        cell["needed"] = bool(personal or activity.subjects) or not columns
    return {
        "dataset": activity.dataset,
        "description": activity.description,
        "owner": activity.owner,
        "cells": cells,
        "columns": columns,
        **_counts(columns),
        "quality": _quality(activity.quality),
        "lineage": _lineage(activity),
        "version": _version(activity.version, timezone),
        "attention": _attention(activity, personal),
    }


def _attention(activity: Activity, personal: Sequence[Mapping[str, Any]]) -> list[str]:
    told = []
    open_columns = [column for column in personal if not column["is_masked"]]
    if open_columns:
        names = ", ".join(column["column"] for column in open_columns)
        told.append(f"{activity.dataset}: personal and not masked: {names}.")
    for verdict in activity.verdicts:
        if verdict.get("ruled") and not verdict["types"] and verdict["action"] == "keep" and verdict.get("found"):
            kinds = ", ".join(KINDS.get(kind, kind.lower()) for kind in verdict["found"])
            told.append(f"{activity.dataset}: {verdict['column']} looks like {kinds} and is {verdict['reason']}.")
    if any("CPR" in column["types"] for column in open_columns):
        told.append(f"{activity.dataset}: unmasked CPR numbers; see the Danish Data Protection Act § 11.")
    if activity.version is None:
        told.append(f"{activity.dataset}: no version is published yet.")
    return told


def _purposes(activity: Activity) -> list[Cell]:
    privacy, file = activity.privacy, f"{activity.dataset}.yml"
    basis = BASES.get(privacy.legal_basis or "")
    choice = "legal_basis: " + ", ".join(BASES)
    return [
        _cell("Purpose", "Art. 30(1)(b)", privacy.purpose, file, _write("purpose: why the data are processed")),
        _cell("Legal basis", "Art. 6(1)", basis, file, _write(choice)),
    ]


def _people(activity: Activity, personal: Sequence[Mapping[str, Any]]) -> list[Cell]:
    persons = ", ".join(activity.privacy.persons)
    kinds = list(dict.fromkeys(kind for column in personal for kind in column["kinds"]))
    found = ", ".join(kinds) or ("none found" if activity.verdicts else None)
    if found and activity.subjects:
        found += f"; its rows are linked to persons by {', '.join(activity.subjects)}"
    return [
        _cell(
            "Categories of data subjects",
            "Art. 30(1)(c)",
            persons,
            f"{activity.dataset}.yml",
            _write("persons: [customers, employees, …]"),
        ),
        _cell(
            "Categories of personal data",
            "Art. 30(1)(c)",
            found,
            "found in the data",
            "Run the pipeline: Atlas finds them itself.",
            status="observed",
        ),
    ]


def _recipients(activity: Activity) -> list[Cell]:
    privacy = activity.privacy
    cells = []
    for key, label, article in (
        ("recipients", "Categories of recipients", "Art. 30(1)(d)"),
        ("transfers", "Transfers to third countries", "Art. 30(1)(e)"),
    ):
        told = key in privacy.model_fields_set  # an empty list that somebody wrote says: none
        value = ", ".join(getattr(privacy, key)) or ("none" if told else None)
        cells.append(
            _cell(label, article, value, f"{activity.dataset}.yml", _write(f"{key}: their names, or [] for none"))
        )
    return cells


def _retention(activity: Activity, enforced: bool, raw_enforced: bool) -> list[Cell]:
    privacy, file = activity.privacy, f"{activity.dataset}.yml"
    article = "Art. 30(1)(f)"
    kept = f"{_days(privacy.retention_days)}; {_enforced(enforced)}" if privacy.retention_days else None
    raw = f"{_days(privacy.raw_retention_days)}; {_enforced(raw_enforced)}"
    declared = "raw_retention_days" in privacy.model_fields_set
    return [
        _cell("Time limit for erasure", article, kept, file, _write("retention_days: a number of days")),
        _cell("Raw data, before masking", article, raw, file if declared else "default of Atlas"),
    ]


def _measures(personal: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> Cell:
    by_action: dict[str, int] = {}
    for column in personal:
        if column["is_masked"]:
            by_action[column["action"]] = by_action.get(column["action"], 0) + 1
    hashed = by_action.pop("hash", 0)
    seen = [f"{_columns(count)} {ACTIONS.get(action, action)}" for action, count in by_action.items()]
    if hashed:
        words = "pseudonymisation (Art. 4(5)) of {} by keyed hash (HMAC-SHA256), the key kept apart from the data"
        seen.insert(0, words.format(_columns(hashed)))
    return _cell(
        "Security measures",
        "Art. 30(1)(g), 32(1)",
        "; ".join([*seen, *measures]),
        "Atlas",
        "Name the technical and organisational measures that protect it.",
        status="observed",
    )


def _column(verdict: Mapping[str, Any]) -> dict[str, Any]:
    types, action = list(verdict["types"]), str(verdict["action"])
    masked = int(verdict.get("masked") or 0)
    return {
        "column": str(verdict["column"]),
        "types": types,
        "kinds": [KINDS.get(kind, kind.lower()) for kind in types],
        "confidence": float(verdict.get("confidence") or 0),
        "sure": _sure(verdict),
        "reason": str(verdict.get("reason") or ""),
        "action": action,
        "action_words": ACTIONS.get(action, action) if types or action != "keep" else "not personal",
        "is_masked": action != "keep",
        "rows": int(verdict.get("rows") or 0),
        "masked": masked,
        "masked_words": _many(masked, "value" if verdict.get("scope", "column") == "column" else "place"),
        "ruled": bool(verdict.get("ruled")),
    }


def _sure(verdict: Mapping[str, Any]) -> str:
    """`98 %`, as the chat says it: Atlas is never more than 99 % sure. A person's decision has no percentage."""
    if verdict.get("ruled"):
        return "ruled"
    return f"{min(99, round(100 * float(verdict.get('confidence') or 0)))} %" if verdict["types"] else "–"


def _quality(quality: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if quality is None:
        return None
    dimensions = {name: None if v is None else float(v) for name, v in dict(quality.get("dimensions") or {}).items()}
    score = quality.get("score")
    return {"score": None if score is None else float(score), "dimensions": dimensions}


def _lineage(activity: Activity) -> str:
    source = f"Read from {', '.join(activity.sources)}." if activity.sources else "Its source is not known yet."
    tables = f" Used by {', '.join(activity.tables)}." if activity.tables else " No table is built from it."
    return source + tables


def _version(version: Mapping[str, Any] | None, timezone: str) -> dict[str, Any] | None:
    if version is None:
        return None
    at = version.get("published_at")
    return {
        "number": version.get("number"),
        "run": version.get("run"),
        "rows": version.get("rows"),
        "published_at": at.astimezone(UTC).isoformat(timespec="seconds") if at else None,
        "published_at_local": local_time(at, timezone) if at else None,
    }


def _write(key: str) -> str:
    return f"Write under privacy in the pipeline file: {key}"


def _days(days: int) -> str:
    years, rest = divmod(days, 365)
    if years and not rest:
        return f"{days} days ({years} year{'s' if years > 1 else ''})"
    return f"{days} day{'s' if days != 1 else ''}"


def _enforced(enforced: bool) -> str:
    return "deleted by Atlas" if enforced else "declared, not yet enforced"


def _columns(count: int) -> str:
    return _many(count, "column")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
