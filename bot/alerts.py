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
    """An alert: what is wrong, since when, what it has caused, and who does what about it."""
    number, seen = alert["alert"], alert["count"]
    since = f"since {when(alert['opened_at'], zone, now)}"
    lines = [one_line(alert["cause"])]
    if seen > 1:
        lines.append(f"Seen {seen:,} times {since}, last {when(alert['last_at'], zone, now)}.")
    live = alert["state"] in LIVE
    lines += [line for line in [_state(alert, zone, now)] if line]
    if attached := alert["attached"]:
        lines.append(f"{'It has caused' if live else 'Still open'}: {listing(_briefly(a) for a in attached)}.")
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


def _briefly(attached: Answer) -> str:
    """`#5 The score of orders has fallen`"""
    return f"#{attached['alert']} {attached['title']}"


def _button(command: str) -> Action:
    return Action(command, command.partition(" ")[0])


def _state(alert: Answer, zone: ZoneInfo, now: datetime | None) -> str:
    by = one_line(alert["changed_by"] or "")
    if alert["state"] == "closed":
        because = f" because {one_line(alert['over'])}" if alert["over"] else ""
        return f"Closed {when(alert['ended_at'], zone, now)}{because}."
    if alert["state"] == "resolved":
        return f"Resolved by {by} {when(alert['ended_at'], zone, now)}."
    told = []
    if alert["root"] is not None:
        told.append(f"Caused by alert #{alert['root']}.")
    if alert["state"] == "acknowledged":
        told.append(f"Acknowledged by {by}.")
    if alert["state"] == "snoozed":
        told.append(f"Snoozed until {when(alert['snoozed_until'], zone, now)}.")
    if alert["assignee"]:
        told.append(f"Assigned to {one_line(alert['assignee'])}.")
    return " ".join(told)


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
