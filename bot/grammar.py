"""From a line people type to the command they mean, or to a question that helps them say it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from bot.reply import Reply, misread
from bot.skill import Pattern, Skill, Slot, Word
from bot.typed import LONGEST, Typed, plain, reason, words
from bot.words import one_line

CLOSE = 0.75  # how alike a typo and the word that was meant must be, or two letters have changed places
FILLERS = frozenset("the a an of for my our me all".split())
SMALL_TALK = FILLERS | frozenset(
    "what what's whats is are how good was does do did to in on from with about now".split()
)
GREETINGS = frozenset("hi hello hey help? ? hej start menu commands".split())
HIGHEST = 2**31 - 1  # the highest number that a run, alert or other thing can have
NUMBERED = {"run": "the run", "alert": "the alert"}
NAMED = {
    "subject": ("pipeline", "dataset", "run"),
    "node": ("dataset", "model", "table", "column"),
    "table": ("dataset", "model", "pipeline"),
    "model": ("table", "dataset"),
}


@dataclass(frozen=True)
class Command:
    """A skill and what it is to work on."""

    skill: Skill
    pattern: Pattern
    values: dict[str, Any]

    @property
    def line(self) -> str:
        return self.said()

    def said(self, **other: str) -> str:
        """The command as one would type it, with some names exchanged."""
        values = {**self.values, **other}
        said = [
            part.text if isinstance(part, Word) else quoted(str(values[part.name]))
            for part in self.pattern.parts
            if isinstance(part, Word) or values.get(part.name) is not None
        ]
        return " ".join([*said, *(f"--{flag}" for flag in sorted(self.pattern.flags) if self.values.get(flag))])


@dataclass(frozen=True)
class Missing:
    """A command that lacks a name: the person is asked for it."""

    skill: Skill
    slot: Slot
    said: str


@dataclass
class Guess(Reply):
    """The answer with the command that was probably meant; `otherwise` is the answer if nothing has the name in it."""

    otherwise: Reply = field(kw_only=True)


@dataclass(frozen=True)
class _Reading:
    """One way to read the words by one pattern."""

    skill: Skill
    pattern: Pattern
    said: list[str] = field(default_factory=list)  # the words as they should have been
    values: dict[str, Any] = field(default_factory=dict)
    missing: Slot | Word | None = None
    extra: list[str] = field(default_factory=list)
    alike: float = 0.0

    @property
    def complete(self) -> bool:
        return self.missing is None and not self.extra


def parse(line: str, skills: Sequence[Skill]) -> Command | Missing | Reply | None:
    """The command a line means, what it lacks, or an answer that says why it means none; None if nothing was said."""
    if len(line) > LONGEST:
        return misread(f"A message may have {LONGEST:,} characters; this one has {len(line):,}.", "help")
    typed = words(plain(line))
    if not typed:
        return None
    if len(typed) == 1 and typed[0].text.casefold() in GREETINGS:
        typed = [Typed("help")]
    exact = list(_readings(typed, skills, fuzzy=False))
    if whole := [reading for reading in exact if reading.complete]:
        best = max(whole, key=lambda reading: len(reading.pattern.words))
        meant = _checked(best)
        if isinstance(meant, Command) and "because" in meant.values and (because := reason(line)):
            meant.values["because"] = because
        return meant
    if asked := [r for r in exact if isinstance(r.missing, Slot) and not r.extra]:
        return Missing(asked[0].skill, asked[0].missing, " ".join(asked[0].said))  # type: ignore[arg-type]
    return _nearest(typed, skills, exact)


def _readings(typed: Sequence[Typed], skills: Sequence[Skill], *, fuzzy: bool) -> Iterator[_Reading]:
    for skill in skills:
        for pattern in skill.patterns:
            if reading := _read(typed, skill, pattern, fuzzy=fuzzy):
                yield reading


def _read(typed: Sequence[Typed], skill: Skill, pattern: Pattern, *, fuzzy: bool) -> _Reading | None:
    """The words by one pattern, or None if its words are not there."""
    values: dict[str, Any] = dict.fromkeys(pattern.flags, False)
    said: list[str] = []
    extra: list[str] = []
    alike = 0.0
    rest = [*typed]
    for number, part in enumerate(pattern.parts):
        if not (isinstance(part, Slot) and part.rest):
            rest = _with_options_taken(rest, values, extra, fuzzy=fuzzy)
        if isinstance(part, Word):
            if not rest:
                return _Reading(skill, pattern, said, values, part, extra, alike) if number else None
            if not (likeness := _alike(rest[0].text, part.text, fuzzy=fuzzy and not rest[0].quoted)):
                # the right beginning with a wrong ending is still worth telling
                return (
                    None if number == 0 or fuzzy else _Reading(skill, pattern, said, values, part, _texts(rest), alike)
                )
            alike += likeness
            said.append(part.text)
            rest = rest[1:]
            continue
        rest = _without_fillers(rest, part)
        if not rest:
            if part.optional:
                continue
            return _Reading(skill, pattern, said, values, part, extra, alike)
        taken, rest = (rest, []) if part.rest else (rest[:1], rest[1:])
        values[part.name] = " ".join(word.text for word in taken)
        said += [str(word) for word in taken]
        if len(rest) == 1 and rest[0].text.casefold() in _nouns(part):
            rest = []  # `run the customers pipeline`
    rest = _with_options_taken(rest, values, extra, fuzzy=fuzzy)
    said += [f"--{flag}" for flag in sorted(pattern.flags) if values[flag]]
    return _Reading(skill, pattern, said, values, None, [*extra, *_texts(rest)], alike)


def _texts(typed: Sequence[Typed]) -> list[str]:
    return [word.text for word in typed]


def _with_options_taken(typed: list[Typed], values: dict[str, Any], extra: list[str], *, fuzzy: bool) -> list[Typed]:
    """The words without the options among them; known ones are set, others are too much."""
    rest: list[Typed] = []
    for number, word in enumerate(typed):
        if word.text.casefold() == "because":  # a reason may hold anything
            return rest + typed[number:]
        if word.quoted or not (word.text.startswith("--") and len(word.text) > 2):
            rest.append(word)
            continue
        flags = [name for name, value in values.items() if isinstance(value, bool)]
        meant = next((flag for flag in flags if _alike(word.text[2:], flag, fuzzy=fuzzy)), None)
        if meant:
            values[meant] = True
        else:
            extra.append(word.text)
    return rest


def _without_fillers(typed: list[Typed], slot: Slot) -> list[Typed]:
    """`the`, `of` and the kind of thing, as long as another word follows."""
    skipped = FILLERS | _nouns(slot)
    while len(typed) > 1 and not typed[0].quoted and typed[0].text.casefold() in skipped and not slot.rest:
        typed = typed[1:]
    return typed


def _nouns(slot: Slot) -> frozenset[str]:
    return frozenset((slot.name, *NAMED.get(slot.name, ())))


def _alike(typed: str, word: str, *, fuzzy: bool) -> float:
    if typed.casefold() == word:
        return 1.0
    if not fuzzy or abs(len(typed) - len(word)) > 3:
        return 0.0
    ratio = SequenceMatcher(None, typed.casefold(), word).ratio()
    return ratio if ratio >= CLOSE or _is_swapped(typed.casefold(), word) else 0.0


def _is_swapped(typed: str, word: str) -> bool:
    """Whether two letters beside each other have changed places: `rnu`."""
    wrong = [n for n, (one, other) in enumerate(zip(typed, word, strict=False)) if one != other]
    return (
        len(typed) == len(word) and len(wrong) == 2 and wrong[1] == wrong[0] + 1
        and typed[wrong[0]] == word[wrong[1]] and typed[wrong[1]] == word[wrong[0]]
    )  # fmt: skip


def _checked(reading: _Reading) -> Command | Reply:
    """Numbers become numbers; names of pipelines and datasets are lower case, whatever case they are typed in."""
    values = dict(reading.values)
    for slot in reading.pattern.slots:
        value = values.get(slot.name)
        if value is None:
            values.pop(slot.name, None)
            continue
        number = re.fullmatch(r"#?([0-9]{1,18})", value)
        if number and slot.name in (*NUMBERED, "subject") and not 0 < int(number[1]) <= HIGHEST:
            noun = slot.name if slot.name in NUMBERED else "run"
            return Reply(f"There is no {noun} #{int(number[1])}.", ok=False, next=[f"{noun}s"], holds="subjects")
        if slot.name in NUMBERED:
            if not number:
                said, noun = " ".join(reading.pattern.words), NUMBERED[slot.name]
                told = f"Give the number of {noun}, for example `{said} 12`. `{short(value)}` is not a number."
                return misread(told, f"{slot.name}s")
            values[slot.name] = int(number[1])
        elif slot.name == "subject" and number:
            values["subject"] = number[1].lstrip("0") or "0"
        elif slot.name in ("pipeline", "dataset", "subject"):
            values[slot.name] = value.casefold().removeprefix("chart.")
        elif slot.name in ("model", "table"):
            values[slot.name] = re.sub(r"^(navigate|chart)\.", "", value.casefold())
    return Command(reading.skill, reading.pattern, values)


def _nearest(typed: Sequence[Typed], skills: Sequence[Skill], exact: list[_Reading]) -> Reply:
    """The answer to what is no command: the nearest one as a button, if all that was typed can be said so."""
    spelled = [r for r in _readings(typed, skills, fuzzy=True) if r.complete and (exact or _sensible(r))]
    if spelled:
        return _did_you_mean(typed, max(spelled, key=lambda r: (r.alike, len(r.said))))
    if exact:  # the right first word
        reading = max(exact, key=lambda r: (len(r.said), -len(r.extra), r.missing is None))
        same = [r for r in exact if r.pattern.words[0] == reading.pattern.words[0]]
        if isinstance(reading.missing, Word):
            ways = ", ".join(dict.fromkeys(f"`{r.pattern.usage}`" for r in same))
            return misread(f"`{' '.join(reading.said)}` needs more words: {ways}.", *_sayable(same))
        return _too_much(reading)
    kept = [word for word in typed if word.quoted or word.text.casefold() not in SMALL_TALK]
    if len(kept) < len(typed) and (whole := [r for r in _readings(kept, skills, fuzzy=True) if _sensible(r)]):
        return _did_you_mean(typed, max(whole, key=lambda r: (r.alike, len(r.said))))
    begun = [r for r in _readings(typed, skills, fuzzy=True) if isinstance(r.missing, Slot) and not r.extra]
    if begun:
        return _did_you_mean(typed, max(begun, key=lambda r: (r.alike, -len(r.pattern.parts))))
    return not_understood()


def not_understood() -> Reply:
    return misread("I did not understand that. Say help to see what you can say.", "help")


def _too_much(reading: _Reading) -> Reply:
    """More was said than the command takes. Without the rest it is offered only if one word, or an option, is left."""
    usage, name = reading.pattern.usage, reading.pattern.words[0]
    told = misread(f"I did not understand that. `{usage}`: {reading.skill.help}.", f"help {name}")
    if len(reading.extra) > 1 or any(str(value).casefold() in SMALL_TALK for value in reading.values.values()):
        return told
    right = " ".join(reading.said)
    text = f"`{short(' '.join(reading.extra))}` is too much here. Did you mean `{right}`?"
    return Guess(**vars(misread(text, right)), otherwise=told)


def _sensible(reading: _Reading) -> bool:
    """It could be said as it stands."""
    return reading.complete and isinstance(_checked(reading), Command)


def _did_you_mean(typed: Sequence[Typed], reading: _Reading) -> Reply:
    right = " ".join(reading.said)
    first, command = typed[0].text, " ".join(reading.pattern.words)
    wrong = first if first.casefold() != reading.pattern.words[0] else " ".join(word.text for word in typed)
    told = f"There is no command `{short(wrong)}`. Did you mean"
    whole = len(reading.pattern.words) == 1 or all(slot.optional for slot in reading.pattern.slots)
    begun = misread(f"{told} `{reading.pattern.usage}`?", command if whole else f"help {reading.pattern.words[0]}")
    if reading.missing:
        return begun
    return Guess(**vars(misread(f"{told} `{right}`?", right)), otherwise=begun)


def _sayable(readings: Sequence[_Reading]) -> list[str]:
    """Those commands that can be said as they stand."""
    return list(dict.fromkeys(" ".join(r.pattern.words) for r in readings if all(s.optional for s in r.pattern.slots)))


def short(text: str, most: int = 40) -> str:
    """What a person typed, as far as it is worth repeating."""
    line = one_line(text).replace("`", "'")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"\s", name) else name
