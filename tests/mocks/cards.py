"""What Teams takes as a message: Adaptive Card schema 1.5, its size, and nothing in it that acts."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft6Validator

from tests.mocks.blocks import INVISIBLE

LARGEST = 28_000  # bytes
MOST_ACTIONS = 6
READ_AS_MARKDOWN = ("TextBlock", "FactSet", "Fact")


@cache
def schema() -> Draft6Validator:
    return Draft6Validator(json.loads((files("adaptive_cards") / "schemas" / "schema-1.5.json").read_text()))


def mistakes(activity: dict[str, Any], sent: int, links: tuple[str, ...]) -> list[str]:
    """Why Teams would refuse a message or let something in it act; in words, without its content."""
    found: list[str] = []
    if sent > LARGEST:
        found.append(f"{sent} bytes")
    if not activity.get("summary") or any(c in activity["summary"] for c in "<>[]`*{}"):
        found.append("no plain text for the notification")
    if activity.get("text") or activity.get("entities"):
        found.append("text or mentions beside the card")
    attachments = activity.get("attachments") or []
    if [one.get("contentType") for one in attachments] != ["application/vnd.microsoft.card.adaptive"]:
        return [*found, "not one card"]
    card = attachments[0]["content"]
    found += [f"{error.validator} at {list(error.absolute_path)[:4]}" for error in schema().iter_errors(card)]
    if len(card.get("actions", ())) > MOST_ACTIONS or card["version"] > "1.5":
        found.append("more buttons than are shown, or a newer schema")
    for one in everything(card):
        if one.get("type") in READ_AS_MARKDOWN or "msteams" in one:
            found.append("an element whose text is read as Markdown, or Teams' own words")
        if one.get("type") == "TextRun" and ("{{" in one["text"] or "\n" in one["text"] or not one["text"]):
            found.append("a text that is a function, or empty, or more than a line")
        if one.get("type") == "Action.Submit" and not (list(one["data"]) == ["say"] and one["data"]["say"]):
            found.append("a button that does something else than say")
        url = one.get("url")
        if url is not None and not url.startswith(("data:image/png;base64,", *links)):
            found.append("a link to elsewhere")
        if any(INVISIBLE.search(str(one.get(name, ""))) for name in ("text", "title", "altText")):
            found.append("a character that is not seen")
    return found


def everything(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a card, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everything(inner)


def read(card: dict[str, Any]) -> str:
    """What a person reads."""
    return "\n".join(filter(None, (_read(element) for element in [*card["body"], *card.get("actions", ())])))


def _read(element: dict[str, Any]) -> str:
    kind = element["type"]
    if kind == "RichTextBlock":
        return "".join(run["text"] for run in element["inlines"])
    if kind == "Table":
        return "\n".join("  ".join(_read(cell["items"][0]) for cell in row["cells"]) for row in element["rows"])
    if kind == "ActionSet":
        return " ".join(map(_read, element["actions"]))
    return f"[{element.get('title') or element.get('altText')}]"
