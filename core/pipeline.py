"""A pipeline: what its file may say, strictly, and what the words mean."""

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)  # fmt: skip

from core import cron

NAME, COLUMN, TARGET = r"^[a-z][a-z0-9_]{0,62}$", r'^[^"\x00-\x1f]+$', r"^[a-z][a-z0-9_]*\..+$"
CRON = r"^(?:[0-9*/,A-Za-z-]+ +){4}[0-9*/,A-Za-z-]+$"
IN_WORDS = {
    CRON: 'is not a schedule; write five fields as cron does: "0 6 * * *"',
    NAME: "cannot be a name: use a-z, 0-9 and _, start with a letter, at most 63 characters",
    COLUMN: 'cannot be the name of a column: it holds a `"` or a control character',
    TARGET: "is not a column of a dataset: write dataset.column",
}

Name = Annotated[str, Field(pattern=NAME)]
Column = Annotated[str, Field(min_length=1, max_length=255, pattern=COLUMN)]
Target = Annotated[str, Field(pattern=TARGET)]
Expression = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Days = Annotated[int, Field(gt=0, strict=True)]
Action = Literal["hash", "redact", "partial", "generalize", "tokenize", "keep"]
Format = Literal["email", "phone", "cpr", "cvr", "url", "uuid", "iban", "postcode", "date", "integer"]
LegalBasis = Literal[
    "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
]


def timezone(name: str) -> str:
    """The name itself. Raises ValueError if there is no such time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: `Europe` is a folder
        raise ValueError("is no time zone; write one like Europe/Copenhagen") from error
    return name


def _value(value: Any) -> Any:
    """What a list of values may hold: the text of a file is never true, false or null."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('is no text or number; write it in quotes: "true"')
    return value


class MistakeAt(ValueError):
    """A mistake that only the whole file shows, and the keys that lead to it."""

    def __init__(self, where: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.where = where


class Strict(BaseModel):
    """An unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ColumnPolicy(Strict):
    """What is done with a column, whatever is found in it."""

    action: Action
    to: Literal["year", "month", "decade", "district"] | None = None  # generalize: how coarse

    @model_validator(mode="after")
    def generalize_needs_a_target(self) -> "ColumnPolicy":
        if (self.action == "generalize") != (self.to is not None):
            raise ValueError("`to` belongs to `generalize`, and `generalize` needs it: {action: generalize, to: year}")
        return self


class Privacy(Strict):
    """Why the data are held, on which ground, for how long, and what is masked by decision."""

    purpose: str | None = None
    legal_basis: LegalBasis | None = None  # GDPR Art. 6(1)
    retention_days: Days | None = None
    raw_retention_days: Days = 7
    persons: list[str] = []  # Art. 30(1)(c): categories of data subjects
    recipients: list[str] = []  # Art. 30(1)(d)
    transfers: list[str] = []  # Art. 30(1)(e): third countries
    columns: dict[
        Column, Annotated[ColumnPolicy, BeforeValidator(lambda v: {"action": v} if isinstance(v, str) else v)]
    ] = {}


def _rule(key: str) -> BeforeValidator:
    return BeforeValidator(lambda value: {key: value} if not isinstance(value, dict) else value)


class Rule(Strict):
    """What every rule of a contract may say beside its own words."""

    weight: float = Field(1.0, gt=0)


class CompletenessRule(Rule):
    column: Column
    max_missing_percent: float = Field(0, ge=0, lt=100)
    empty: Literal["keep"] | None = None  # an empty text is a value: only null is missing


class UniquenessRule(Rule):
    columns: Annotated[list[Column], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(min_length=1)


class ValidityRule(Rule):
    column: Column
    format: Format | None = None
    values: list[Annotated[str | int | float, BeforeValidator(_value)]] | None = Field(None, min_length=1)
    min: float | None = None
    max: float | None = None
    regex: str | None = None

    @model_validator(mode="after")
    def says_what_is_valid(self) -> "ValidityRule":
        if all(getattr(self, key) is None for key in ("format", "values", "min", "max", "regex")):
            raise ValueError("says nothing about what is valid; add format, values, min, max or regex")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("allows nothing: min is more than max")
        return self


class AccuracyRule(Rule):
    column: Column | None = None
    matches: Target | None = None
    expression: Expression | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> "AccuracyRule":
        if (self.expression is None) == (self.matches is None) or (self.matches is None) != (self.column is None):
            raise ValueError("is either {column: …, matches: dataset.column} or {expression: …}")
        return self


class ConsistencyRule(Rule):
    column: Column | None = None
    references: Target | None = None
    expression: Expression | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> "ConsistencyRule":
        if (self.expression is None) == (self.references is None) or (self.references is None) != (self.column is None):
            raise ValueError("is either {column: …, references: dataset.column} or {expression: …}")
        return self


class TimelinessRule(Rule):
    column: Column
    max_age_hours: float = Field(gt=0)


class Quality(Strict):
    """The contract: rules by dimension, which dimensions reject rows, and the score that must be reached."""

    completeness: list[Annotated[CompletenessRule, _rule("column")]] = []
    uniqueness: list[Annotated[UniquenessRule, _rule("columns")]] = []
    validity: list[ValidityRule] = []
    accuracy: list[AccuracyRule] = []
    consistency: list[ConsistencyRule] = []
    timeliness: TimelinessRule | None = None
    reject_rows: list[Literal["completeness", "uniqueness", "validity", "accuracy", "consistency"]] = []
    minimum_score: float | None = Field(None, ge=0, le=100)

    @field_validator("completeness", "uniqueness", "validity", "accuracy", "consistency", mode="before")
    @classmethod
    def a_single_rule_is_a_list(cls, value: Any) -> Any:
        return value if isinstance(value, list) or value is None else [value]

    @property
    def datasets(self) -> set[str]:
        """The datasets in which rules look for values."""
        targets = [rule.matches for rule in self.accuracy] + [rule.references for rule in self.consistency]
        return {target.partition(".")[0] for target in targets if target}


_DAYS = r"%(?:Y([-./]?)%m\1%d|[dm]([-./]?)%[dm]\2%[Yy])"
_CLOCK = r"(?:[T ]%[HI][:.]%M(?:[:.]%S(?:[.,]%f)?)?(?: ?%p)?(?: ?%z)?)?"


class Declared(Strict):
    """What a column holds. A value that is something else rejects its row.

    `decimal` is the decimal mark of numbers, so that 1.234 is read rightly; `format` is how dates and times are
    written, as in Python: `%d-%m-%Y`. A clock may stand after it in any form. What is left out is found out.
    """

    type: Literal["text", "integer", "decimal", "date", "datetime"]
    decimal: Literal[",", "."] | None = None
    format: str | None = None

    @model_validator(mode="after")
    def belongs_to_its_type(self) -> "Declared":
        if self.decimal is not None and self.type not in ("integer", "decimal"):
            raise ValueError(f"`decimal` says how numbers are written, and {self.type} is not a number; leave it out")
        if self.format is None:
            return self
        if self.type not in ("date", "datetime"):
            raise ValueError(f"`format` says how dates are written, and {self.type} is not a date; leave it out")
        both = {"%d", "%m"} <= set(re.findall("%.", self.format))
        if not both or not re.fullmatch(_DAYS + (_CLOCK if self.type == "datetime" else ""), self.format):
            clock = ' and a clock if you like: "%d-%m-%Y %H:%M"' if self.type == "datetime" else ""
            raise ValueError(f"`{self.format[:40]}` is no format of dates that is known; write a day like "
                             f'"%d-%m-%Y", "%m/%d/%Y", "%Y%m%d"{clock}')  # fmt: skip
        return self


class Pipeline(Strict):
    """One pipeline: it makes one dataset, of its own name."""

    name: Name
    description: str = ""
    owner: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    source: dict[str, Any]
    key: list[Column] = []
    subject: dict[Name, Column] = {}  # kind -> column: who a row is about
    timezone: str | None = None
    columns: dict[Column, Annotated[Declared, _rule("type")]] = {}  # declared types; the others are found out
    # what happens to a few values that do not fit the type of their column
    bad_values: Literal["reject", "text"] = "reject"
    max_rejected_percent: float = Field(50, ge=0, le=100)  # above it the version is not published
    privacy: Privacy = Privacy()
    quality: Quality = Quality()
    schedule: Annotated[str, Field(pattern=CRON)] | None = None

    @field_validator("schedule")
    @classmethod
    def is_a_schedule(cls, value: str | None) -> str | None:
        if value is not None:
            cron.parse(value)
        return value

    @field_validator("timezone")
    @classmethod
    def is_a_timezone(cls, value: str | None) -> str | None:
        return value if value is None else timezone(value)

    @model_validator(mode="after")
    def what_is_merged_has_a_key(self) -> "Pipeline":
        if self.source.get("cursor") and not self.key:
            raise MistakeAt(
                ("source", "cursor"),
                "rows that were changed are found by `key`, which is missing; add it: key: [customer_id]",
            )
        return self

    @model_validator(mode="after")
    def joins_stay_joinable(self) -> "Pipeline":
        joined = {*self.key, *self.subject.values(), *(r.column for r in self.quality.consistency if r.references)}
        for column, policy in self.privacy.columns.items():
            if column in joined and policy.action in ("redact", "partial", "generalize"):
                raise MistakeAt(
                    ("privacy", "columns", column),
                    f"`{policy.action}` would break joins, for `{column}` is a key, a subject or references another "
                    "dataset; use hash, tokenize or keep",
                )
        return self

    @model_validator(mode="after")
    def no_age_of_a_masked_column_is_measured(self) -> "Pipeline":
        rule = self.quality.timeliness
        policy = self.privacy.columns.get(rule.column) if rule else None
        if rule and policy and policy.action != "keep":
            raise MistakeAt(
                ("quality", "timeliness"),
                f"the age of the newest `{rule.column}` would be shown, and `privacy` masks that column; "
                "timeliness needs a column that is kept",
            )
        return self
