"""Reads a pipeline file; every mistake in it is told with its line."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from core import parts, secrets
from core.errors import AtlasError, BadInput, BadPipeline, SourceMissing, SourceUnreadable
from core.pipeline import IN_WORDS, MistakeAt, Pipeline, Strict
from core.roots import Roots

TOO_DEEP = "is nested too deeply"
MOST_RULES = 1_000  # rules of a contract: each is parsed when the file is checked, and measured in every run
LARGEST = 1_000_000  # bytes of a file
MOST_VALUES = 100_000  # in a file with all its aliases: a few aliases of aliases are billions of values
DEEPEST = 20  # brackets that may be open at once on one line: the time to parse grows with the square of their number


class Mistake(Strict):
    """One mistake in a pipeline file, for people. A warning may be no mistake: only a run can tell."""

    file: str
    line: int
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'warning: ' if self.warning else ''}{self.message}"


def read(path: Path) -> Pipeline:
    """The pipeline in a file. Raises BadPipeline with every mistake, each with its line."""
    pipeline, mistakes = check(path)
    if pipeline is None or mistakes:
        raise BadPipeline("\n".join(map(str, mistakes)), hint=f"Correct `{path.name}`, then: atlas check {path.stem}")
    return pipeline


@dataclass(frozen=True)
class Parsed:
    """A pipeline file that was read once: the pipeline, if it holds, every mistake, and the lines of its keys."""

    pipeline: Pipeline | None
    mistakes: list[Mistake]
    document: Any = None

    def line(self, where: tuple[Any, ...]) -> int:
        """The line of a place in the file; 1 if it is not there."""
        return _line(self.document, where) if self.document is not None else 1


def check(path: Path, text: str | None = None) -> tuple[Pipeline | None, list[Mistake]]:
    """The pipeline in a file, if it holds, and every mistake in it; given its text, no file is looked at."""
    found = parsed(path, text)
    return found.pipeline, found.mistakes


def parsed(path: Path, text: str | None = None) -> Parsed:
    """The same with the lines of the file, for mistakes that are found later."""
    document, mistake = _document(path, text)
    if mistake:
        return Parsed(None, [mistake])
    pipeline, mistakes = _checked(path, document)
    return Parsed(pipeline, mistakes, document)


def _checked(path: Path, document: Any) -> tuple[Pipeline | None, list[Mistake]]:
    try:
        plain = _plain(document)
        _not_too_many_rules(plain)
        pipeline = Pipeline.model_validate(plain)
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
        connector.Source.model_validate(secrets.named(pipeline.source))
    except MistakeAt as error:
        return None, [_at(path, document, error.where, str(error))]
    except ValidationError as error:
        return None, [_mistake(path, document, details, connector.Source, "source") for details in error.errors()]
    return pipeline, []


def read_text(path: Path) -> str:
    """The text of a pipeline file or model. Raises AtlasError, also for a link that leads out of the file's folder."""
    try:
        with Roots((path.parent,)).opened(path, path.name) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise BadInput(f"`{path.name}` is larger than 1 MB: is it a pipeline file?")
            return file.read(LARGEST).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (SourceMissing, SourceUnreadable) as error:
        if not path.is_symlink():
            if path.is_dir():
                raise BadInput(error.message) from error  # the hint of a source is about CSV files
            raise
        wrong = f"`{path.name}` is a link to something that is not a file in its folder."
        raise BadInput(wrong, hint="Copy the file instead.") from error


def _document(path: Path, text: str | None) -> tuple[dict[Any, Any], None] | tuple[None, Mistake]:
    """The YAML of a file with the lines of its keys, or why there is none."""
    from ruamel.yaml import YAML  # here: a chat that only says help never reads a pipeline
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    line, message = 1, ""
    try:
        text = read_text(path) if text is None else text
        if deep := _too_deep(text):
            return None, Mistake(file=path.name, line=deep, message=TOO_DEEP)
        yaml = YAML(typ="rt")
        yaml.Composer = _composer()
        document = yaml.load(text)
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
    except AtlasError as error:
        message = error.message.removeprefix(f"`{path.name}` ").removesuffix(".")
    return None, Mistake(file=path.name, line=line, message=message)


@cache
def _composer() -> Any:
    """Ruamel's composer, for files whose keys are texts: the time for keys in keys doubles with each."""
    from ruamel.yaml.composer import Composer, ComposerError
    from ruamel.yaml.events import ScalarEvent
    from ruamel.yaml.nodes import MappingNode

    class TextKeys(Composer):  # type: ignore[misc, unused-ignore]
        def compose_node(self, parent: Any, index: Any) -> Any:
            is_key = isinstance(parent, MappingNode) and index is None
            if is_key and not self.parser.check_event(ScalarEvent):
                mark = self.parser.peek_event().start_mark
                raise ComposerError(None, None, "found a key that is not a text", mark)
            return super().compose_node(parent, index)

    return TextKeys


def _too_deep(text: str) -> int | None:
    """The first line on which too many brackets are open at once; those in quotes count, too."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count("[") + line.count("{") > DEEPEST:
            opened = accumulate(1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", line))
            if max(opened) > DEEPEST:
                return number
    return None


def _yaml_fault(error: Any) -> str:
    """What the parser says, without the values it quotes."""
    if twice := re.match('found duplicate key "(.*?)" with value', str(error.problem), re.DOTALL):
        return f"`{_short(twice[1])}` is written twice"
    text = " ".join(str(part).strip().splitlines()[0] for part in (error.context, error.problem) if part)
    return text.replace("found character '\\t' that cannot start any token", "found a tab; indent with spaces")


def _not_too_many_rules(plain: Any) -> None:
    quality = plain.get("quality")
    rules = [rule for rule in quality.values() if isinstance(rule, list)] if isinstance(quality, dict) else []
    if (count := sum(map(len, rules))) > MOST_RULES:
        raise MistakeAt(("quality",), f"has {count:,} rules; a contract has {MOST_RULES:,} at most")


def _plain(document: Any) -> Any:
    """Ruamel's round-trip values as plain Python, so that what is kept and compared is plain JSON."""
    left = iter(range(MOST_VALUES))

    def plain(value: Any, where: tuple[str, ...]) -> Any:
        if next(left, None) is None:
            raise MistakeAt(where, "holds too many values, with its aliases")
        if isinstance(value, dict):
            return {plain(str(key), (*where, str(key))): plain(v, (*where, str(key))) for key, v in value.items()}
        if isinstance(value, list):
            return [plain(v, (*where, str(number))) for number, v in enumerate(value)]
        if isinstance(value, int) and value.bit_length() > 64:  # Python writes out no number of 4300 digits
            raise MistakeAt(where, "is a number that is too large")
        if isinstance(value, str) and re.search("[\x00\ud800-\udfff]", value):
            raise MistakeAt(where, "contains a character that is not valid")
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
        shown = "" if inside or not isinstance(value, str | int | float) else f"`{_short(value)}`"
        words = _in_words(details)
        if shown and words.startswith(("is not ", "cannot be ")):
            message = f"`{name}`: {shown} {words}"
        else:
            message = f"`{name}`{f' is {shown}' if shown else ''}: {words}" if where else words
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
