"""The demo conversation as Slack would get it, without a Slack: `make demo-slack` prints it and writes a page."""

import base64
import html
import re
import sys
import tempfile
from pathlib import Path

from tests.mocks import blocks
from tests.mocks.slack import BOT_USER, CHANNEL, KIM, File, Message
from tests.slack.office import Office, open_office

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / ".atlas" / "demo-slack.html"
# where it is said, and what
SAID = [
    ("#data", "run customers"), ("#data", "run orders"), ("#data", "quality customers"), ("#data", "why customers"),
    ("#data", "show revenue_by_country"), ("direct", "pii customers"), ("direct", "lineage revenue_by_country.revenue"),
    ("direct", "dead customers"), ("direct", "gdpr report customers"), ("direct", "help"), ("direct", "run custmers"),
]  # fmt: skip
STYLE = """
body{font:15px/1.46 Lato,Helvetica,Arial,sans-serif;color:#1d1c1d;max-width:780px;margin:2em auto;background:#fff}
h2{font-size:18px;border-bottom:1px solid #ddd;padding-bottom:6px;margin-top:2em}
.m{margin:14px 0}.who{font-weight:900}.app{background:#ddd;font-size:10px;border-radius:3px;padding:1px 4px;
margin-left:4px}
.alone{color:#616061;font-size:13px}.t{margin-left:36px;border-left:3px solid #eee;padding-left:12px}
pre{background:#f8f8f8;border:1px solid #ddd;border-radius:4px;padding:8px;font:12px/1.5 Monaco,Menlo,monospace;
white-space:pre-wrap;margin:6px 0}code{background:#f8f8f8;border:1px solid #ddd;border-radius:3px;color:#c01343;
font-size:12px;padding:1px 3px}.s{white-space:pre-wrap;margin:4px 0}
button{font:700 13px Lato,Arial;background:#fff;border:1px solid #bbb;border-radius:4px;padding:5px 12px;
margin:4px 6px 0 0}
img{max-width:620px;border:1px solid #ddd;border-radius:6px}.f{border:1px solid #ddd;border-radius:6px;padding:8px 12px;
display:inline-block;color:#1264a3;font-weight:700}
"""


def main() -> None:
    page: dict[str, list[str]] = {"#data": [], "direct": []}
    with tempfile.TemporaryDirectory() as folder, open_office(
        Path(folder), ATLAS_PIPELINES=str(ROOT / "pipelines")
    ) as office:  # fmt: skip
        for place, line in SAID:
            sys.stdout.write(f"\n{place}  Kim: {line}\n")
            page[place].append(_person(line))
            for shown in _said(office, place, line):
                _print(shown)
                page[place].append(_drawn(shown))
    PAGE.parent.mkdir(exist_ok=True)
    chapters = "".join(f"<h2>{html.escape(place)}</h2>{''.join(shown)}" for place, shown in page.items())
    PAGE.write_text(f"<!doctype html><meta charset=utf-8><title>Atlas in Slack</title><style>{STYLE}</style>{chapters}",
                    encoding="utf-8")  # fmt: skip
    sys.stdout.write(f"\nAs a page: {PAGE.relative_to(ROOT)}\n")


def _said(office: Office, place: str, line: str) -> list[Message | File]:
    slack = office.slack
    messages, files = len(slack.messages), len(slack.files)
    if place == "direct":
        body = slack.event(line, kind="message", channel=slack.direct())
    else:
        body = slack.event(f"<@{BOT_USER}> {line}", channel=CHANNEL)
    office.send(body)
    office.answer(messages, 120)
    return [*slack.messages[messages:], *slack.files[files:]]


def _print(shown: Message | File) -> None:
    if isinstance(shown, File):
        lines = [f"(file) {shown.title}: {shown.name}, {len(shown.content):,} bytes"]
    else:
        lines = shown.text.split("\n")
        if shown.to:
            lines.insert(0, "(only Kim sees this)")
        if shown.edits:
            lines.append(f"(edited {len(shown.edits)} times)")
    sys.stdout.writelines(f"    {line}\n" for line in lines)


def _person(line: str) -> str:
    return f"<div class=m><span class=who>Kim</span><div class=s>{html.escape(line)}</div></div>"


def _drawn(shown: Message | File) -> str:
    if isinstance(shown, File):
        if shown.content.startswith(b"\x89PNG"):
            data = base64.b64encode(shown.content).decode()
            inside = f'<div>{html.escape(shown.title)}</div><img src="data:image/png;base64,{data}">'
        else:
            inside = f"<div class=f>{html.escape(shown.title)} · {html.escape(shown.name)}</div>"
        thread = bool(shown.thread)
    else:
        inside = "".join(_block(block) for block in shown.body["blocks"])
        thread = bool(shown.thread)
    alone = isinstance(shown, Message) and shown.to
    note = f"<div class=alone>Only visible to you ({KIM})</div>" if alone else ""
    return (f'<div class="m{" t" if thread else ""}">{note}<span class=who>Atlas</span><span class=app>APP</span>'
            f"{inside}</div>")  # fmt: skip


def _block(block: dict[str, object]) -> str:
    if block["type"] == "actions":
        texts = [text for text, kind in blocks.texts({"text": "", "blocks": [block]}) if kind == "plain_text"]
        return "".join(f"<button>{text}</button>" for text in texts)
    [(said, _)] = blocks.texts({"text": "", "blocks": [block]})[1:]
    if found := re.fullmatch(r"```(.*)```", said, re.DOTALL):
        return f"<pre>{found[1]}</pre>"
    said = re.sub(r"`([^`]+)`", r"<code>\1</code>", said)
    said = re.sub(r"(?m)^\*(.+)\*$", r"<b>\1</b>", said)
    return f"<div class=s>{said}</div>"


if __name__ == "__main__":
    main()
