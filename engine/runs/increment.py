"""Incremental runs: what one builds upon, what it keeps of that, and whose raw rows made what is published."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from core.models import ColumnType, Verdict
from core.pipeline import Pipeline
from engine.store import datasets, privacy, runs
from engine.store.tables import Run, Version

if TYPE_CHECKING:
    from engine.explore.profile import Profile

Verdicts = dict[str, Verdict]
Types = dict[str, ColumnType]
_PLACES = {"cells": 0, "spans": 1, "column": 2}


@dataclass(frozen=True)
class Published:
    """The current version of a dataset, and how its columns were typed, profiled and masked.

    `spoilt` columns are text because of some of their values.
    """

    version: Version
    types: Types
    verdicts: Verdicts
    profile: Profile | None  # none of a version that an older Atlas made
    spoilt: tuple[str, ...] = ()

    def filled(self) -> dict[str, bool]:
        """The columns that were published in their types, and whether any value of them was seen."""
        plain = [c for c, v in self.verdicts.items() if v.action == "keep"]
        known = self.profile.columns if self.profile else {}
        return {c: bool(known[c].filled) if c in known else self.types[c].kind != "text" for c in plain}


def published(db: Session, dataset: str) -> Published | None:
    """What is published of a dataset, as far as it is known how it was made."""
    version = datasets.current_version(db, dataset)
    decided = decision(db, version.run_id) if version else {}
    if version is None or not decided:
        return None
    from engine.explore.profile import Profile

    profile = Profile.from_json(decided["profile"]) if decided.get("profile") else None
    verdicts = {row.column: privacy.verdict(row) for row in privacy.verdicts(db, version.run_id)}
    return Published(version, types(decided), verdicts, profile, tuple(decided.get("spoilt", ())))


def decision(db: Session, run: int) -> dict[str, Any]:
    """What a run decided of its columns: their types, verdicts and profile."""
    return next((r for step in ("remask", "verdicts") for r in runs.results(db, run, step) if r), {})


def types(decided: dict[str, Any]) -> Types:
    return {column: ColumnType(**kind) for column, kind in decided["types"].items()}


def origin(pipeline: Pipeline) -> str:
    """Tells one source and key from others: how far another was read says nothing."""
    text = json.dumps([pipeline.source, pipeline.key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def base(db: Session, pipeline: Pipeline) -> Version | None:
    """The version that a run builds upon, which was read up to a known cursor of the same source."""
    version = datasets.current_version(db, pipeline.name)
    if version is None or not pipeline.source.get("cursor") or not version.cursor:
        return None
    known = published(db, pipeline.name)
    same = version.cursor["of"] == origin(pipeline) and known is not None and known.profile is not None
    return version if same else None


def joined(before: Verdicts, now: Verdicts, of: Types) -> tuple[Verdicts, Verdicts, list[str]]:
    """One verdict a column for old rows and new ones: that which hides more.

    Also those by which the old rows must be masked again, and in words what stays hidden though it need not.
    """
    verdicts, again, told = dict(now), {}, []
    for column, was in before.items():
        verdict = now[column]
        if _strength(verdict, of[column]) > _strength(was, of[column]):
            again[column] = was
            continue
        if _strength(verdict, of[column]) < _strength(was, of[column]) and (
            verdict.options.get("decided") or "ruling" in verdict.options
        ):
            told.append(f"{column} stays masked as it was, for its older rows are; with --full it does not.")
        verdicts[column] = replace(was, reason=verdict.reason if was.types == verdict.types else was.reason)
    return verdicts, again, told


def _strength(verdict: Verdict, of: ColumnType) -> tuple[int, int]:
    from engine.personal import ruled

    return ruled.hides(verdict, of), _PLACES[verdict.scope] if verdict.action != "keep" else -1


def sources_of_raw(db: Session, run: Run) -> tuple[list[int], bool]:
    """The runs whose raw rows make what is published, and what this run has read, oldest first.

    True if older ones are gone, so that what is made of these is to be merged with what is published.
    """
    found: list[int] = []
    plan = next(iter(runs.results(db, run.id, "plan")), {})
    if not datasets.version_of(db, run.pipeline, run.id):
        if not plan.get("base"):
            return [run.id], False
        found.append(run.id)
    version = datasets.current_version(db, run.pipeline)
    while version is not None:
        explored = runs.results(db, version.run_id, "explore")
        if explored:
            if not all(map(raw_is_there, explored)):
                break
            found.append(version.run_id)
        if version.base_id is None:
            return found[::-1], False
        version = datasets.version(db, version.base_id)
    return found[::-1], True


def raw_is_there(explored: dict[str, Any]) -> bool:
    return all(Path(file["path"]).exists() for file in explored.get("files", []))
