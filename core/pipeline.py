"""A pipeline file: what it may say, strictly; every mistake is told with its line."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)  # fmt: skip

from core import parts
from core.errors import BadPipeline

NAME, COLUMN, TARGET = r"^[a-z][a-z0-9_]{0,62}$", r'^[^"\x00-\x1f]+$', r"^[a-z][a-z0-9_]*\..+$"
IN_WORDS = {
    NAME: "is no name: a-z, 0-9 and _, a letter first, 63 at most",
    COLUMN: 'is no name of a column: it holds a `"` or a control character',
    TARGET: "is no column of a dataset: write dataset.column",
}
TOO_DEEP = "is nested too deeply"
LARGEST = 1_000_000  # bytes of a file, and values in it with all its aliases

Name = Annotated[str, Field(pattern=NAME)]
Column = Annotated[str, Field(min_length=1, max_length=255, pattern=COLUMN)]
Target = Annotated[str, Field(pattern=TARGET)]
Expression = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Days = Annotated[int, Field(gt=0, strict=True)]
Action = Literal["hash", "redact", "partial", "generalize", "keep"]
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


class Pipeline(Strict):
    """One pipeline: it makes one dataset, of its own name."""

    name: Name
    description: str = ""
    owner: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
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
        return value if value is None else timezone(value)

    @model_validator(mode="after")
    def joins_stay_joinable(self) -> "Pipeline":
        joined = {*self.key, *self.subject.values(), *(r.column for r in self.quality.consistency if r.references)}
        for column, policy in self.privacy.columns.items():
            if column in joined and policy.action in ("redact", "partial", "generalize"):
                raise MistakeAt(
                    ("privacy", "columns", column),
                    f"`{policy.action}` would break joins, for `{column}` is a key, a subject or references another "
                    "dataset; use hash or keep",
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
    document, mistake = _document(path)
    if mistake:
        return None, [mistake]
    try:
        pipeline = Pipeline.model_validate(_plain(document))
    except MistakeAt as error:
        return None, [_at(path, document, error.where, str(error))]
    except RecursionError:
        return None, [Mistake(file=path.name, line=1, message=TOO_DEEP)]
    except ValidationError as error:
        return None, [_mistake(path, document, details, Pipeline) for details in error.errors()]
    if pipeline.name != path.stem:
        wrong = f"name `{pipeline.name}` must be the file's own, `{path.stem}`"
        return None, [Mistake(file=path.name, line=_line(document, ("name",)), message=wrong)]
    name = pipeline.source.get("connector")
    if not isinstance(name, str) or name not in parts.names("connector"):
        known = ", ".join(parts.names("connector"))
        wrong = "is missing" if name is None else f"is `{_short(name)}`: there is no such connector"
        where = ("source", "connector") if "connector" in pipeline.source else ("source",)
        message = f"`source.connector` {wrong}; known: {known}"
        return None, [Mistake(file=path.name, line=_line(document, where), message=message)]
    connector = parts.load("connector", name)
    try:
        connector.Source.model_validate(pipeline.source)
    except ValidationError as error:
        return None, [_mistake(path, document, details, connector.Source, "source") for details in error.errors()]
    return pipeline, []


def _document(path: Path) -> tuple[dict[Any, Any], None] | tuple[None, Mistake]:
    """The YAML of a file with the lines of its keys, or why there is none."""
    from ruamel.yaml import YAML  # here: a chat that only says help never reads a pipeline
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    line, message = 1, ""
    try:
        if path.stat().st_size > LARGEST:
            return None, Mistake(file=path.name, line=1, message="is larger than 1 MB: is it a pipeline file?")
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8-sig"))
        if isinstance(document, dict):
            return document, None
        message = "holds no keys; the first is `name: …`"
    except MarkedYAMLError as error:
        # where a bracket or quote is never closed, the end of the file tells nobody which
        open_end = "stream" in str(error.problem) and error.context_mark
        mark = error.context_mark if open_end else error.problem_mark or error.context_mark
        line, message = mark.line + 1 if mark else 1, _yaml_fault(error)
    except UnicodeDecodeError as error:
        line, message = error.object[: error.start].count(b"\n") + 1, "holds a byte that is not UTF-8; save it as UTF-8"
    except (YAMLError, ValueError) as error:
        message = str(error).strip().splitlines()[0]
    except RecursionError:
        message = TOO_DEEP
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    return None, Mistake(file=path.name, line=line, message=message)


def _yaml_fault(error: Any) -> str:
    """What the parser says, without the values it quotes."""
    if twice := re.match('found duplicate key "(.*?)" with value', str(error.problem), re.DOTALL):
        return f"`{_short(twice[1])}` is written twice"
    text = " ".join(str(part).strip().splitlines()[0] for part in (error.context, error.problem) if part)
    return text.replace("found character '\\t' that cannot start any token", "found a tab; indent with spaces")


def _plain(document: Any) -> Any:
    """Ruamel's round-trip values as plain Python, so that what is kept and compared is plain JSON."""
    left = iter(range(LARGEST))  # a few aliases of aliases are billions of values

    def plain(value: Any, where: tuple[str, ...]) -> Any:
        if next(left, None) is None:
            raise MistakeAt(where, "holds too many values, with its aliases")
        if isinstance(value, dict):
            return {plain(str(key), (*where, str(key))): plain(v, (*where, str(key))) for key, v in value.items()}
        if isinstance(value, list):
            return [plain(v, (*where, str(number))) for number, v in enumerate(value)]
        if isinstance(value, str) and re.search("[\x00\ud800-\udfff]", value):
            raise MistakeAt(where, "holds a character that is none")
        for kind in (bool, int, float, str):
            if isinstance(value, kind):
                return kind(value)
        return value if value is None else str(value)

    return plain(document, ())


def _at(path: Path, document: Any, where: tuple[Any, ...], message: str) -> Mistake:
    name = f"`{_short('.'.join(map(_shown, where)))}`: " if where else ""
    return Mistake(file=path.name, line=_line(document, where), message=f"{name}{message}")


def _mistake(path: Path, document: Any, details: Any, model: Any, *inside: str) -> Mistake:
    """One of pydantic's errors in our words; `inside` leads to what was validated by the model."""
    loc = tuple(key for key in details["loc"] if key != "[key]")
    where = (*inside, *loc)
    raised = details.get("ctx", {}).get("error")
    if isinstance(raised, MistakeAt):
        return _at(path, document, raised.where, str(raised))
    name = _short(".".join(map(_shown, where))) or "the file"
    if details["type"] == "extra_forbidden":
        allowed = _allowed(loc[:-1], model)
        close = get_close_matches(str(where[-1]), allowed, 1)
        message = f"unknown key `{name}`" + (
            f"; did you mean `{close[0]}`?" if close else f"; allowed: {', '.join(allowed)}" if allowed else ""
        )
    elif details["type"] == "missing":
        message = f"`{name}` is missing"
    else:
        value = details.get("input")
        # a source may hold a password, if not where it should be
        shown = "" if inside or not isinstance(value, str | int | float) else f" is `{_short(value)}`"
        message = f"`{name}`{shown}: {_in_words(details)}" if where else _in_words(details)
    return Mistake(file=path.name, line=_line(document, where), message=message)


def _in_words(details: Any) -> str:
    kind, value = details["type"], details.get("input")
    if value is None:
        return "is empty; fill it in or leave the key out"
    if kind == "list_type":
        return "must be a list: [a, b]"
    if kind in ("dict_type", "model_type"):
        return "must hold keys of its own: {key: value}"
    if kind == "string_pattern_mismatch" and details["ctx"]["pattern"] in IN_WORDS:
        return IN_WORDS[details["ctx"]["pattern"]]
    text: str = details["msg"].removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _shown(key: Any) -> str:
    return str(key + 1) if isinstance(key, int) else str(key)  # people count from one


def _short(value: Any) -> str:
    return str(value) if len(str(value)) <= 60 else str(value)[:60] + "…"


def _allowed(where: tuple[Any, ...], model: Any) -> list[str]:
    """The keys allowed at a place of the file, as far as the models tell."""
    for key in where:
        if isinstance(key, int):
            continue
        field = getattr(model, "model_fields", {}).get(key)
        model = next(_models(field.annotation), None) if field else None
        if model is None:
            return []
    return sorted(model.model_fields)


def _models(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def _line(document: Any, where: tuple[Any, ...]) -> int:
    line = 1
    node: Any = document
    for key in where:
        if not hasattr(node, "lc"):
            break
        if isinstance(node, dict):
            key = next((known for known in node if str(known) == str(key)), key)
        try:
            where_it_is = node.lc.item if isinstance(node, list) else node.lc.key  # type: ignore[attr-defined]
            line = where_it_is(int(key) if isinstance(node, list) else key)[0] + 1
            node = node[int(key) if isinstance(node, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            break
    return line
