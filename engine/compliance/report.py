"""The record of processing as a PDF that can be handed to the supervisory authority."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst

from engine.drawing import plain

TEMPLATE = Path(__file__).with_suffix(".typ")


def pdf(record: Mapping[str, Any]) -> bytes:
    """The document: A4, tagged for screen readers, with nothing but the fonts that typst brings."""
    try:
        made: bytes = _compile(record, format="pdf", pdf_standards=["ua-1"])
    except typst.TypstError:  # a name in a script that these fonts lack: boxes are drawn, the standard forbids them
        made = _compile(record, format="pdf")
    return made


def pages(record: Mapping[str, Any], ppi: float = 96) -> list[bytes]:
    """The same pages as PNG."""
    made = _compile(record, format="png", ppi=ppi)
    return made if isinstance(made, list) else [made]


def _compile(record: Mapping[str, Any], **options: Any) -> Any:
    compiler = typst.Compiler(
        TEMPLATE.read_bytes(),
        font_paths=typst.Fonts(include_system_fonts=False),
        sys_inputs={"record": json.dumps(_printable(dict(record)), ensure_ascii=False)},
    )
    return compiler.compile(timestamp=datetime.fromisoformat(str(record["made_at"])), **options)


def _printable(value: Any) -> Any:
    """Names as one line without control characters; everything else as it is. Typst prints strings literally."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value
