"""How an alert is told, and how alerts are posted by themselves: one message each in a place, edited in place."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.client import Answer, Atlas
from bot.posting import CannotPost
from bot.reply import Action, Reply
from bot.words import listing, many, one_line, when

log = logging.getLogger("atlas.bot")

WAIT = 20.0  # seconds that the API may wait until something is due
LIVE = ("open", "acknowledged", "assigned", "snoozed")


def told(alert: Answer, zone: ZoneInfo, now: datetime | None = None) -> Reply:
    """An alert: what is wrong, since when, what is told with it, and who does what about it."""
    number, seen = alert["alert"], alert["count"]
    since = f"since {when(alert['opened_at'], zone, now)}"
    lines = [one_line(alert["cause"])]
    if seen > 1:
        lines.append(f"Seen {seen:,} times {since}, last {when(alert['last_at'], zone, now)}.")
    live = alert["state"] in LIVE
    if attached := alert["attached"]:
        names = listing(dict.fromkeys(a["dataset"] for a in attached))
        depend = f"{len(attached):,} that {'depends' if len(attached) == 1 else 'depend'} on it"
        lines.append(f"And {depend}: {names}." if live else f"Still open: {depend}, {names}.")
    lines += [line for line in [_state(alert, zone, now)] if line]
    buttons: list[str | Action] = list(map(_button, alert["next"]))
    if live and alert["root"] is None:
        ack = [] if alert["state"] == "acknowledged" else [Action(f"ack {number}", "ack")]
        buttons += [*ack, Action(f"snooze {number} 2h", "snooze 2h"), Action(f"resolve {number}", "resolve")]
    return Reply(
        "\n".join(lines),
        title=f"Alert #{number}: {one_line(alert['title'])}" + (f" ({since})" if seen == 1 and live else ""),
        facts=alert,
        next=buttons if live else [],
        ok=True,
        holds="counts",
    )


def _button(command: str) -> Action:
    return Action(command, command.partition(" ")[0])


def _state(alert: Answer, zone: ZoneInfo, now: datetime | None) -> str:
    by = one_line(alert["changed_by"] or "")
    if alert["state"] == "closed":
        return f"It is over: closed by itself {when(alert['ended_at'], zone, now)}."
    if alert["state"] == "resolved":
        return f"Resolved by {by} {when(alert['ended_at'], zone, now)}."
    if alert["root"] is not None:
        return f"It is told with alert #{alert['root']}, on which it depends."
    if alert["state"] == "acknowledged":
        return f"{by} has seen it."
    if alert["state"] == "snoozed":
        return f"Snoozed by {by} until {when(alert['snoozed_until'], zone, now)}."
    return f"{one_line(alert['assignee'])} sees to it." if alert["assignee"] else ""


async def post_due(atlas: Atlas, platforms: Mapping[str, Any]) -> None:
    """Posts and edits what is due on these platforms. What cannot be posted is kept by the API and tried again."""
    due = await atlas.notices([*platforms], wait=WAIT)
    zone = await atlas.zone()
    ends = await asyncio.gather(*(_post(atlas, platforms, one, zone) for one in due), return_exceptions=True)
    for error in (end for end in ends if isinstance(end, Exception)):  # the others are posted all the same
        raise error


async def _post(atlas: Atlas, platforms: Mapping[str, Any], notice: Answer, zone: ZoneInfo) -> None:
    platform, reply = platforms[notice["platform"]], told(notice["alert"], zone)
    try:
        # half of the time that it is ours: what is on its way then has arrived when another bot looks for it
        async with asyncio.timeout(notice["seconds"] / 2):
            ref = await platform.post(notice["target"], reply, ref=notice["ref"], key=notice["key"])
    except TimeoutError:
        failed = CannotPost("timeout", retry=True)
    except CannotPost as problem:
        failed = problem
    except Exception as error:  # noqa: BLE001 - a bug in one platform must not keep alerts from the others
        failed = CannotPost(f"bug: {type(error).__name__}", retry=True)
    else:
        await atlas.notice_sent(notice, ref)
        return
    log.warning("alert %s was not posted on %s: %s", notice["alert"]["alert"], notice["platform"], failed.reason)
    await atlas.notice_failed(notice, failed.reason, retry=failed.retry)


def heads(alerts: list[Answer]) -> list[Answer]:
    """Of alerts that have not ended, those that no other tells."""
    numbers = {alert["alert"] for alert in alerts}
    return [alert for alert in alerts if alert["root"] not in numbers]


def summary(alerts: list[Answer]) -> str:
    """`2 alerts are open.`"""
    return f"{many(len(alerts), 'alert is', 'alerts are')} open." if alerts else ""
