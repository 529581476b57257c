"""A pipeline file: what it may say, strictly; every mistake is told with its line."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from core import parts
from core.errors import BadPipeline, NotFound

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Column = Annotated[str, Field(min_length=1, max_length=255, pattern=r'^[^"\x00-\x1f]+$')]
Action = Literal["hash", "redact", "partial", "generalize", "keep"]
Format = Literal["email", "phone", "cpr", "cvr", "url", "uuid", "iban", "postcode", "date", "integer"]
LegalBasis = Literal[
    "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
]


class Strict(BaseModel):
    """An unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    retention_days: int | None = Field(None, gt=0)
    raw_retention_days: int = Field(7, gt=0)
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


class UniquenessRule(Rule):
    columns: Annotated[list[Column], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(min_length=1)


class ValidityRule(Rule):
    column: Column
    format: Format | None = None
    values: list[str | int | float] | None = Field(None, min_length=1)
    min: float | None = None
    max: float | None = None
    regex: str | None = None

    @model_validator(mode="after")
    def says_what_is_valid(self) -> "ValidityRule":
        if all(getattr(self, key) is None for key in ("format", "values", "min", "max", "regex")):
            raise ValueError("says nothing about what is valid; add format, values, min, max or regex")
        return self


class AccuracyRule(Rule):
    column: Column | None = None
    matches: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*\..+$")  # dataset.column
    expression: str | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> "AccuracyRule":
        if (self.expression is None) == (self.matches is None) or (self.matches is None) != (self.column is None):
            raise ValueError("is either {column: …, matches: dataset.column} or {expression: …}")
        return self


class ConsistencyRule(Rule):
    column: Column | None = None
    references: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*\..+$")  # dataset.column
    expression: str | None = None

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


class Pipeline(Strict):
    """One pipeline: it makes one dataset, of its own name."""

    name: Name
    description: str = ""
    owner: str = Field(min_length=1)
    source: dict[str, Any]
    key: list[Column] = []
    subject: dict[Name, Column] = {}  # kind -> column: who a row is about
    timezone: str | None = None
    privacy: Privacy = Privacy()
    quality: Quality = Quality()
    schedule: str | None = None

    @field_validator("timezone")
    @classmethod
    def is_a_timezone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError("is no time zone; write one like Europe/Copenhagen") from error
        return value

    @model_validator(mode="after")
    def joins_stay_joinable(self) -> "Pipeline":
        joined = {*self.key, *self.subject.values(), *(r.column for r in self.quality.consistency if r.references)}
        for column, policy in self.privacy.columns.items():
            if column in joined and policy.action in ("redact", "partial", "generalize"):
                raise ValueError(
                    f"privacy.columns.{column}: `{policy.action}` would break joins, for `{column}` is a key, "
                    "a subject or references another dataset; use hash or keep"
                )
        return self


class Mistake(Strict):
    """One mistake in a pipeline file, for people."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def read(path: Path) -> Pipeline:
    """The pipeline in a file. Raises BadPipeline with every mistake, each with its line."""
    pipeline, mistakes = check(path)
    if pipeline is None or mistakes:
        raise BadPipeline("\n".join(map(str, mistakes)), hint=f"Correct `{path.name}`, then: atlas check {path.stem}")
    return pipeline


def check(path: Path) -> tuple[Pipeline | None, list[Mistake]]:
    """The pipeline in a file, if it holds, and every mistake in it."""
    from ruamel.yaml import YAML  # here: a chat that only says help never reads a pipeline
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8-sig"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None, [Mistake(file=path.name, line=mark.line + 1 if mark else 1, message=_first_line(error))]
    except (YAMLError, UnicodeDecodeError) as error:
        return None, [Mistake(file=path.name, line=1, message=_first_line(error))]
    except OSError as error:
        return None, [Mistake(file=path.name, line=1, message=f"cannot be read: {error.strerror}")]
    if not isinstance(document, dict):
        return None, [Mistake(file=path.name, line=1, message="holds no keys; the first is `name: …`")]
    try:
        pipeline = Pipeline.model_validate(_plain(document))
    except ValidationError as error:
        return None, [_mistake(path, document, details) for details in error.errors()]
    mistakes: list[tuple[tuple[str, ...], str]] = []
    if pipeline.name != path.stem:
        mistakes.append((("name",), f"name `{pipeline.name}` must be the file's own, `{path.stem}`"))
    try:
        connector = parts.load("connector", str(pipeline.source.get("connector", "")))
        connector.Source.model_validate(pipeline.source)
    except NotFound as error:
        mistakes.append((("source", "connector"), f"{error.message} {error.hint}"))
    except ValidationError as error:
        source = [dict(details, loc=("source", *details["loc"])) for details in error.errors()]
        return None, [_mistake(path, document, details) for details in source]
    found = [Mistake(file=path.name, line=_line(document, where), message=text) for where, text in mistakes]
    return (None if found else pipeline), found


def _plain(value: Any) -> Any:
    """Ruamel's round-trip values as plain Python, so that what is kept and compared is plain JSON."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value if value is None else str(value)


def _mistake(path: Path, document: Any, details: Any) -> Mistake:
    where = tuple(details["loc"])
    name = ".".join(str(key) for key in where) or "the file"
    if details["type"] == "extra_forbidden":
        allowed = _allowed(where[:-1])
        close = get_close_matches(str(where[-1]), allowed, 1)
        message = f"unknown key `{name}`" + (
            f"; did you mean `{close[0]}`?" if close else f"; allowed: {', '.join(allowed)}" if allowed else ""
        )
    elif details["type"] == "missing":
        message = f"`{name}` is missing"
    else:
        text = details["msg"].removeprefix("Value error, ")
        value = details.get("input")
        shown = f" is `{value}`" if isinstance(value, str | int | float | bool) else ""
        message = f"`{name}`{shown}: {text[0].lower()}{text[1:]}" if where else text
    return Mistake(file=path.name, line=_line(document, where), message=message)


def _allowed(where: tuple[Any, ...]) -> list[str]:
    """The keys allowed at a place of the file, as far as the models tell."""
    model: Any = Pipeline
    for key in where:
        if isinstance(key, int):
            continue
        field = getattr(model, "model_fields", {}).get(key)
        model = next((m for m in _models(field.annotation) if m), None) if field else None
        if model is None:
            return []
    return sorted(model.model_fields)


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models(argument)]


def _line(document: Any, where: tuple[Any, ...]) -> int:
    line = 1
    node: Any = document
    for key in where:
        if not hasattr(node, "lc"):
            break
        try:
            where_it_is = node.lc.item if isinstance(node, list) else node.lc.key  # type: ignore[attr-defined]
            line = where_it_is(key)[0] + 1
            node = node[key]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _first_line(error: Exception) -> str:
    text = getattr(error, "problem", None) or str(error)
    return str(text).strip().splitlines()[0]
