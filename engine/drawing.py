"""Pictures in one style: SVG written here, turned into PNG with the one font that every installation has."""

import math
import re
import unicodedata
from bisect import bisect_right
from html import escape
from itertools import accumulate

import vl_convert

FONT = "Liberation Sans"  # shipped inside vl-convert; covers Latin, Greek and Cyrillic

INK, QUIET, FAINT, LINE, PAPER = "#1f2933", "#5b6774", "#8a94a0", "#d5dbe1", "#ffffff"
BLUE, GREEN, ORANGE, VERMILION, PURPLE, GREY = "#0072b2", "#00795a", "#b36b00", "#b84a00", "#7b3f98", "#5b6774"

_WIDTHS = (  # widths of the printable ASCII characters at size 1000
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
_WIDTH = {chr(32 + i): int(width) for i, width in enumerate(_WIDTHS.split())} | {"…": 1000, "æ": 889, "Æ": 1000}


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is drawn, nearly."""
    return sum(map(_width, text)) * size / 1000 * (1.06 if bold else 1)


def _width(letter: str) -> int:
    return _WIDTH.get(letter) or (1000 if unicodedata.east_asian_width(letter) in "WF" else 600)


def plain(text: str) -> str:
    """One line without characters that XML or a reader cannot take."""
    shown = re.sub(r"\s+", " ", text).strip()
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn", "Co") else "\ufffd" for c in shown)


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    shown = plain(text)
    if width(shown, size, bold=bold) <= room:
        return shown
    most = room / (size / 1000 * (1.06 if bold else 1)) - _width("…")
    return shown[: bisect_right(list(accumulate(map(_width, shown))), most)].rstrip() + "…"


def text(
    x: float, y: float, words: str, size: float, *, fill: str = INK, bold: bool = False, anchor: str = "start"
) -> str:
    """One line of text; y is its baseline."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:g}" fill="{fill}"{weight} '
        f'text-anchor="{anchor}" xml:space="preserve">{escape(plain(words))}</text>'
    )


def box(
    x: float,
    y: float,
    across: float,
    down: float,
    *,
    fill: str = "none",
    stroke: str = "none",
    radius: float = 0,
    line: float = 1,
    dash: str = "",
) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{across:.1f}" height="{down:.1f}" rx="{radius:g}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"{dashed}/>'
    )


def pill(right: float, middle: float, words: str, color: str) -> tuple[str, float]:
    """A small framed word that ends at `right`, and how much room it takes."""
    across = width(words, 10.5, bold=True) + 14
    shape = box(right - across, middle - 8.5, across, 17, fill="#f4ecf8", stroke=color, radius=8.5)
    return shape + text(right - across / 2, middle + 3.8, words, 10.5, fill=color, bold=True, anchor="middle"), across


def png(shapes: list[str], across: float, down: float, *, widest: int = 2400) -> bytes:
    """The finished picture, at twice its size where that is not wider than `widest` pixels."""
    across, down = math.ceil(across), math.ceil(down)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" viewBox="0 0 {across} {down}">'
        f"{box(0, 0, across, down, fill=PAPER)}{''.join(shapes)}</svg>"
    )
    drawn: bytes = vl_convert.svg_to_png(svg, scale=min(2.0, widest / across, 8000 / down))
    return drawn
