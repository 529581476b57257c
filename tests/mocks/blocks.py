"""What Slack takes as a message: its own models, and the checks that they miss."""

import re
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_BLOCKS, MOST_CHARACTERS = 50, 13_000
KNOWN = ("section", "actions", "context", "divider", "header", "image")
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\u2800\ufe00-\ufe0e"
    "\U000e0000-\U000e01ef\ufeff\uffa0\ufff9-\ufffb]"
)


def mistakes(message: dict[str, Any]) -> list[str]:
    """Why Slack would refuse a message, cut it, or let something in it act; in words, without its content."""
    found: list[str] = []
    blocks = message.get("blocks") or []
    if not message.get("text"):
        found.append("no text for the notification")
    if len(blocks) > MOST_BLOCKS:
        found.append(f"{len(blocks)} blocks")
    ids: list[str] = []
    for block in blocks:
        if block.get("type") not in KNOWN:
            found.append("a kind of block that is not known")
            continue
        try:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.to_dict()
        except SlackObjectFormationError as error:
            found.append(str(error)[:100])
        ids += [block["block_id"]] if "block_id" in block else []
        for field in block.get("fields", ()):
            if not 0 < len(field["text"]) <= 2000:
                found.append("a field that is too long or empty")
        for element in block.get("elements", ()):
            if "action_id" in element:
                ids.append(element["action_id"])
            if len(str(element.get("value", "x"))) not in range(1, 2001):
                found.append("a value that is too long or empty")
        if block["type"] == "image" and not block.get("alt_text"):
            found.append("a picture without words")
    if len(ids) != len(set(ids)):
        found.append("an id that is there twice")
    if any(not 0 < len(name) <= 255 for name in ids):
        found.append("an id that is too long")
    all_texts = list(texts(message))
    if sum(len(text) for text, _ in all_texts) > MOST_CHARACTERS:
        found.append("more characters than a message may have")
    for text, kind in all_texts:
        if not text:
            found.append("an empty text")
        if re.search("[<>]", text) or re.search(r"&(?!amp;|lt;|gt;)", text):
            found.append("a character that acts")
        if INVISIBLE.search(text):
            found.append("a character that is not seen")
        if kind == "mrkdwn" and "```" in text and not re.fullmatch(r"```[^`]*```", text):
            found.append("a code block that ends early")
    for block in blocks:
        for holder in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            if holder and holder.get("type") == "mrkdwn" and holder.get("verbatim") is not True:
                found.append("text that is not verbatim")
    for name in ("unfurl_links", "unfurl_media"):
        if message.get(name):
            found.append(f"{name} is on")
    return found


def texts(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Every text in a message that is shown, with its kind."""
    found = [(message.get("text", ""), "notification")]
    for block in message.get("blocks") or []:
        holders = [block.get("text"), *block.get("fields", ())]
        for element in block.get("elements", ()):
            holders.append(element.get("text") if isinstance(element.get("text"), dict) else element)
        found += [(h["text"], h["type"]) for h in holders if h and isinstance(h.get("text"), str)]
    return found


def read(blocks: list[dict[str, Any]]) -> str:
    """What a person reads."""
    said = []
    for block in blocks:
        if block["type"] == "actions":
            said.append(" ".join(f"[{element['text']['text']}]" for element in block["elements"]))
        elif "text" in block:
            said.append(block["text"]["text"])
    text = "\n".join(said)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
