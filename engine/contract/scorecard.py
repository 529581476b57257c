"""Draws the quality of a dataset: its score, the six dimensions, what fell, and how it went over time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.models import DIMENSIONS
from engine.drawing import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PAPER,
    QUIET,
    VERMILION,
    box,
    fit,
    png,
    text,
)  # fmt: skip

_ACROSS, _MARGIN = 760.0, 28.0
_GOOD, _FAIR = 95, 80


def shown(value: Any) -> str:
    """A score as people read it: one decimal, rounded down, so that only a perfect one is 100.0."""
    if value is None:
        return "not measured"
    return str(Decimal(str(value)).quantize(Decimal("0.1"), ROUND_DOWN))


def draw(facts: Mapping[str, Any]) -> bytes:
    """The scorecard as PNG.

    Facts are those of a quality answer, numbers or decimal strings: dataset, score, dimensions {name: score or
    None}, worst [{fault, note, failed, tested, points}], and optionally note (the run or version),
    about (when it was measured, of how many rows, and who owns them),
    minimum (the score that is required) and previous {score, dimensions, note}.
    """
    score, dimensions = _number(facts.get("score")), _scores(facts)
    previous = facts.get("previous") or {}
    before = _scores(previous)
    worst = list(facts.get("worst") or [])[:5]
    title = f"Quality of {facts['dataset']}"
    shapes = [
        text(_MARGIN, 38, fit(title, 500, 19, bold=True), 19, bold=True),
        text(_ACROSS - _MARGIN, 38, fit(str(facts.get("note") or ""), 200, 12), 12, fill=QUIET, anchor="end"),
        text(_MARGIN, 57, fit(str(facts.get("about") or ""), _ACROSS - 2 * _MARGIN, 12), 12, fill=QUIET),
        *_overall(score, _number(previous.get("score")), facts.get("minimum"), dimensions, previous.get("note")),
    ]
    left, top = 268.0, 70.0
    for i, name in enumerate(DIMENSIONS):
        shapes += _bar(left, top + i * 33, name, dimensions[name], before[name])
    down = top + len(DIMENSIONS) * 33 + 14
    if any(value is not None for value in before.values()):
        shapes.append(f'<path d="M{left + 106:.1f},{down - 5:.1f}v10" stroke="{INK}" stroke-width="2"/>')
        shapes.append(text(left + 113, down + 4, str(previous.get("note") or "the run before"), 11, fill=QUIET))
    if worst:
        shapes += _worst(down + 46, worst)
        down += 56 + 26 * len(worst)
    return png(shapes, _ACROSS, down + 26)


def trend(points: Sequence[Mapping[str, Any]], dataset: str = "", timezone: str = "Europe/Copenhagen") -> bytes:
    """The scores over time as PNG, oldest first: at (datetime), score, dimensions, and optionally run."""
    zone = ZoneInfo(timezone)
    rows = [
        (point["at"].astimezone(zone), _number(point.get("score")), _scores(point), point.get("run"))
        for point in points
    ]
    title = f"Quality of {dataset} over {len(rows)} run{'s' if len(rows) != 1 else ''}" if dataset else "Quality"
    shapes = [text(_MARGIN, 38, fit(title, _ACROSS - 2 * _MARGIN, 19, bold=True), 19, bold=True)]
    shapes += _chart(rows)
    low = _floor([score for _, _, scores, _ in rows for score in scores.values() if score is not None])
    for i, name in enumerate(DIMENSIONS):
        x = _MARGIN + (i % 3) * 240
        shapes += _spark(x, 352 + (i // 3) * 92, name, [scores[name] for _, _, scores, _ in rows], low)
    return png(shapes, _ACROSS, 534)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _scores(facts: Mapping[str, Any]) -> dict[str, float | None]:
    given = facts.get("dimensions") or {}
    return {name: _number(given.get(name)) for name in DIMENSIONS}


def _color(score: float) -> str:
    return GREEN if score >= _GOOD else ORANGE if score >= _FAIR else VERMILION


def _overall(
    score: float | None, before: float | None, minimum: Any, dimensions: Mapping[str, float | None], note: Any
) -> list[str]:
    measured = sum(value is not None for value in dimensions.values())
    middle, top = _MARGIN + 95, 152.0
    ring = _arc(middle, top, 76, 1, LINE if score is not None else "none")
    if score is None:
        dashes = f'<circle cx="{middle}" cy="{top}" r="76" fill="none" stroke="{FAINT}" stroke-width="2"'
        shapes = [f'{dashes} stroke-dasharray="5 5"/>', text(middle, top + 4, "not", 19, fill=QUIET, anchor="middle")]
        shapes.append(text(middle, top + 26, "measured", 19, fill=QUIET, anchor="middle"))
    else:
        shapes = [ring, _arc(middle, top, 76, score / 100, _color(score))]
        shapes.append(text(middle, top + 12, shown(score), 42, bold=True, anchor="middle"))
        shapes.append(
            text(middle, top + 33, f"{measured} of {len(DIMENSIONS)} measured", 12, fill=QUIET, anchor="middle")
        )
    under = [
        text(middle, top + 106, _change(score, before, note), 13, bold=True, fill=_mood(score, before), anchor="middle")
    ]
    if minimum is not None:
        required = f"{float(minimum):g} is required"
        reached = score is not None and score >= float(minimum)
        words = required if reached else f"below the required {float(minimum):g}"
        under.append(text(middle, top + 125, words, 12, fill=QUIET if reached else VERMILION, anchor="middle"))
    return shapes + under


def _mood(score: float | None, before: float | None) -> str:
    if score is None or before is None or shown(score) == shown(before):
        return QUIET
    return GREEN if score > before else VERMILION


def _change(score: float | None, before: float | None, note: Any) -> str:
    if score is None or before is None:
        return ""
    since = f" since {note}" if note else " since the run before"
    change = Decimal(shown(score)) - Decimal(shown(before))
    if change == 0:
        return f"unchanged{since}"
    return f"{'▲' if change > 0 else '▼'} {abs(change)}{since}"


def _arc(x: float, y: float, radius: float, share: float, color: str) -> str:
    """A ring, filled clockwise from the top."""
    around = 2 * 3.14159265 * radius
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="none" stroke="{color}" stroke-width="13" '
        f'stroke-dasharray="{around * max(0.0, min(share, 1)):.2f} {around + 1:.2f}" '
        f'transform="rotate(-90 {x:.1f} {y:.1f})"/>'
    )


def _bar(x: float, y: float, name: str, score: float | None, before: float | None) -> list[str]:
    start, across = x + 104, 284.0
    shapes = [text(x, y + 16, name.capitalize(), 14, fill=INK if score is not None else QUIET)]
    if score is None:
        shapes.append(box(start, y + 3, across, 17, stroke=FAINT, radius=4, dash="4 4"))
        shapes.append(text(start + across / 2, y + 15.5, "not measured", 11.5, fill=QUIET, anchor="middle"))
        shapes.append(text(_ACROSS - _MARGIN, y + 16, "–", 15, fill=QUIET, anchor="end"))
        return shapes
    shapes.append(box(start, y + 3, across, 17, fill="#e9edf1", radius=4))
    filled = max(across * min(score, 100) / 100, 5)  # a zero is a mark, not an empty bar
    shapes.append(box(start, y + 3, filled, 17, fill=_color(score), radius=min(4, filled / 2)))
    if before is not None:
        at = start + across * min(before, 100) / 100
        shapes.append(f'<path d="M{at:.1f},{y:.1f}v23" stroke="{PAPER}" stroke-width="5"/>')
        shapes.append(f'<path d="M{at:.1f},{y:.1f}v23" stroke="{INK}" stroke-width="2"/>')
    shapes.append(text(_ACROSS - _MARGIN, y + 16.5, shown(score), 15, bold=True, anchor="end"))
    return shapes


def _worst(y: float, worst: Sequence[Mapping[str, Any]]) -> list[str]:
    shapes = [
        f'<path d="M{_MARGIN},{y - 20:.1f}H{_ACROSS - _MARGIN}" stroke="{LINE}"/>',
        text(_MARGIN, y + 4, "What costs the most", 13, bold=True),
    ]
    for i, check in enumerate(worst):
        at = y + 31 + i * 26
        shapes.append(f'<circle cx="{_MARGIN + 4}" cy="{at - 4.5:.1f}" r="3.5" fill="{VERMILION}"/>')
        shapes.append(text(_MARGIN + 16, at, fit(_fault(check), 390, 13), 13))
        shapes.append(text(_ACROSS - _MARGIN - 92, at, _rows_of(check), 12, fill=QUIET, anchor="end"))
        taken = float(check.get("points") or 0)
        said = f"{taken:.1f} points" if taken >= 0.05 else "< 0.1 points"
        shapes.append(text(_ACROSS - _MARGIN, at, said, 13, bold=True, anchor="end"))
    return shapes


def _fault(check: Mapping[str, Any]) -> str:
    """What is wrong, in the words of the fault: beside the share that breaks a rule, its name says the opposite."""
    said = str(check.get("note") or check.get("fault") or check["check"])
    return said[:1].upper() + said[1:]


def _rows_of(check: Mapping[str, Any]) -> str:
    """`918 of 10,214 rows, 9.0 %`; nothing of a check that counts no rows."""
    failed, tested = float(check["failed"]), float(check["tested"])
    if check.get("note") or not tested:
        return ""
    share = 100 * failed / tested
    percent = f"{share:.1f} %" if share >= 0.1 else "under 0.1 %"
    if failed != int(failed):
        return f"{percent} of {tested:,.0f} rows"
    return f"{failed:,.0f} of {tested:,.0f} rows, {percent}"


def _chart(rows: Sequence[tuple[datetime, float | None, dict[str, float | None], Any]]) -> list[str]:
    left, right, top, bottom = _MARGIN + 30, _ACROSS - _MARGIN - 46, 70.0, 286.0
    values = [score for _, score, _, _ in rows if score is not None]
    low = _floor(values)

    def place(i: int, score: float) -> tuple[float, float]:
        x = (left + right) / 2 if len(rows) < 2 else left + (right - left) * i / (len(rows) - 1)
        return x, bottom - (bottom - top) * (score - low) / (100 - low)

    shapes = []
    steps = 5 if low == 90 else 4
    for step in range(steps + 1):
        level = low + (100 - low) * step / steps
        y = place(0, level)[1]
        shapes.append(f'<path d="M{left - 4:.1f},{y:.1f}H{right + 4:.1f}" stroke="{LINE}"/>')
        shapes.append(text(left - 12, y + 4, f"{level:g}", 11.5, fill=QUIET, anchor="end"))
    shapes += _line([place(i, s) if s is not None else None for i, (_, s, _, _) in enumerate(rows)], BLUE, 2.4, 4)
    form = "%d.%m." if len({at.date() for at, _, _, _ in rows}) > 1 else "%H:%M"
    for i, (at, score, _, run) in enumerate(rows):
        x = place(i, 0)[0]
        if score is None:  # the first one's would stand on the axis
            anchor = "start" if i == 0 and len(rows) > 1 else "middle"
            shapes.append(text(x, bottom - 6, "not measured", 10.5, fill=QUIET, anchor=anchor))
        every = max(1, -(-len(rows) // 8))
        if (len(rows) - 1 - i) % every == 0:
            shapes.append(text(x, bottom + 20, at.strftime(form), 11.5, fill=QUIET, anchor="middle"))
            if run is not None:
                shapes.append(text(x, bottom + 35, f"#{run}", 10.5, fill=FAINT, anchor="middle"))
    if not rows:
        shapes.append(
            text((left + right) / 2, (top + bottom) / 2, "No run was measured yet.", 14, fill=QUIET, anchor="middle")
        )
    last = next(((i, s) for i, (_, s, _, _) in reversed(list(enumerate(rows))) if s is not None), None)
    if last:
        x, y = place(*last)
        shapes.append(text(x + 10, y + 5, shown(last[1]), 15, bold=True, fill=BLUE))
    return shapes


def _spark(x: float, y: float, name: str, scores: Sequence[float | None], low: float) -> list[str]:
    across, down = 212.0, 36.0
    values = [score for score in scores if score is not None]
    shapes = [text(x, y, name.capitalize(), 12.5, bold=True)]
    if not values:
        shapes.append(text(x + across, y, "not measured", 12, fill=QUIET, anchor="end"))
        shapes.append(box(x, y + 12, across, down, stroke=FAINT, radius=4, dash="4 4"))
        return shapes
    now = next(score for score in reversed(scores) if score is not None)
    shapes.append(text(x + across, y, shown(now), 13, bold=True, fill=_color(now), anchor="end"))
    points = [
        None
        if score is None
        else (
            x + across * (i / (len(scores) - 1) if len(scores) > 1 else 0.5),
            y + 12 + down * (1 - (score - low) / (100 - low)),
        )
        for i, score in enumerate(scores)
    ]
    shapes.append(f'<path d="M{x:.1f},{y + 12 + down:.1f}h{across}" stroke="{LINE}"/>')
    return shapes + _line(points, _color(now), 1.8, 2.2)


def _floor(values: Sequence[float]) -> float:
    """Where the axis starts: a round number below the lowest score."""
    lowest = min(values, default=0)
    return next(low for low in (90, 80, 60, 0) if lowest >= low + (100 - low) * 0.1 or low == 0)


def _line(points: Sequence[tuple[float, float] | None], color: str, thick: float, dot: float) -> list[str]:
    """Points joined where they follow each other; what was not measured is a gap, never a zero."""
    shapes, before = [], None
    for point in points:
        if point and before:
            path = f"M{before[0]:.1f},{before[1]:.1f}L{point[0]:.1f},{point[1]:.1f}"
            shapes.append(f'<path d="{path}" stroke="{color}" stroke-width="{thick}" stroke-linecap="round"/>')
        before = point
    dots = [point for point in points if point]
    if len(dots) <= 60:
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{dot}" fill="{color}"/>' for x, y in dots]
    return shapes
