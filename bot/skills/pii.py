"""What was found personal in a dataset, why, and what was done about it."""

from zoneinfo import ZoneInfo

from bot.client import Answer, Atlas
from bot.grammar import quoted
from bot.reply import Reply, Table
from bot.runs import DONE_TO
from bot.skill import skill
from bot.words import listing, many, one_line, when

FACTS = ("column", "types", "confidence", "reason", "action", "rows", "masked", "ruling")
KINDS = {
    "PERSON": "names of persons", "EMAIL": "e-mail addresses", "PHONE": "phone numbers", "CPR": "CPR numbers",
    "NATIONAL_ID": "national id numbers", "ADDRESS": "addresses", "DATE_OF_BIRTH": "dates of birth",
    "IBAN": "IBANs", "BANK_ACCOUNT": "bank accounts", "CREDIT_CARD": "card numbers", "IP": "IP addresses",
    "MAC": "MAC addresses", "PASSPORT": "passport numbers", "LICENSE_PLATE": "licence plates",
    "DRIVER_LICENSE": "driving licences", "USERNAME": "user names", "PROFILE_URL": "profile links",
    "CVR": "CVR numbers",
}  # fmt: skip


@skill("pii {dataset}", right="read:pii", help="what is personal, why and what is done; or .COLUMN",
       example="pii customers", holds="rows")  # fmt: skip
async def pii(atlas: Atlas, dataset: str) -> Reply:
    name, _, column = dataset.partition(".")
    answer = await atlas.pii(name)
    found = sorted(answer["columns"], key=lambda c: (not c["types"], not c["masked"], -float(c["confidence"])))
    if column:
        return _one(name, column, found, await atlas.zone())
    personal = [c for c in found if c["types"]]
    scattered = [c for c in found if not c["types"] and c["masked"]]
    if not personal and not scattered:
        told = [f"No personal data was found in {name}: {many(len(found), 'column')}, run #{answer['run']}."]
    else:
        told = [f"{len(personal)} of {many(len(found), 'column')} of {name} "
                f"{'holds' if len(personal) == 1 else 'hold'} personal data: run #{answer['run']}."]  # fmt: skip
    told += [f"{one_line(c['column'])} is not personal as a whole; {many(c['masked'], 'single value')} in it masked."
             for c in scattered]  # fmt: skip
    told += [f"{one_line(c['column'])} {_ruled(c['ruling'], await atlas.zone())}" for c in found if c["ruling"]]
    rows = [[c["column"], kinds(c), sure(c), done(c), c["reason"]] for c in personal]
    return Reply(
        "\n".join(told),
        table=Table(["column", "holds", "sure", "what is done", "why"], rows) if rows else None,
        facts=facts(name, found),
        next=[f"pii {_quoted(name, personal[0]['column'])}"] if personal else [f"quality {name}"],
        holds="rows",
    )


def _one(name: str, column: str, found: list[Answer], zone: ZoneInfo) -> Reply:
    matching = [c for c in found if c["column"] == column] or [
        c for c in found if c["column"].casefold() == column.casefold()
    ]
    if not matching:
        names = listing([c["column"] for c in found], most=20)
        return Reply(
            f"`{name}` has no column `{one_line(column)}`. It has {names}.",
            ok=False,
            next=[f"pii {name}"],
            holds="subjects",
        )
    c = matching[0]
    reason, where = one_line(c["reason"]).rstrip("."), _quoted(name, c["column"])
    if c["types"]:
        how = "ruled" if sure(c) == "ruled" else f"{sure(c)} sure"
        told = [f"{name}.{one_line(c['column'])} holds {kinds(c)} ({how}): {reason}."]
        told += [f"{_done_sentence(c)} Wrong? Say: pii {where} is not pii because …"]
    else:
        told = [f"{name}.{one_line(c['column'])} is not personal{f': {reason}' if reason else ''}."]
        if c["masked"]:
            verb = "was" if c["masked"] == 1 else "were"
            told.append(f"{many(c['masked'], 'single value')} in it that looked personal {verb} masked.")
        told.append(f"Wrong? Say: pii {where} is EMAIL, or what else it holds.")
    if c["ruling"] and not c["ruling"]["applied"]:
        told.append(f"It {_ruled(c['ruling'], zone)} This holds from the next run.")
    return Reply(
        "\n".join(told),
        facts=facts(name, [c]),
        next=[f"pii {name}", f"lineage {_quoted(name, c['column'])}"],
        holds="rows",
    )


def facts(name: str, columns: list[Answer]) -> dict[str, object]:
    return {"dataset": name, "columns": [{key: c.get(key) for key in FACTS} for c in columns]}


def _ruled(ruling: Answer, zone: ZoneInfo) -> str:
    """`is ruled PERSON by anna, today 10:30: it is the callers' names.`"""
    because = f": {one_line(ruling['because']).rstrip('.')}" if ruling["because"] else ""
    what = ruling["type"] or "not personal"
    return f"is ruled {what} by {one_line(ruling['by'])}, {when(ruling['at'], zone)}{because}."


def kinds(column: Answer) -> str:
    return listing([KINDS.get(kind, kind) for kind in column["types"]])


def sure(column: Answer) -> str:
    """`98 %`; of what a person has decided, that."""
    if column["ruling"] and column["ruling"]["applied"]:
        return "ruled"
    return f"{min(99, round(100 * float(column['confidence'])))} %"


def done(column: Answer) -> str:
    """`hashed`, `redacted in 1,204 places`."""
    if column["scope"] == "column" or column["action"] == "keep":
        return DONE_TO[column["action"]]
    return f"{DONE_TO[column['action']]} in {many(column['masked'], 'place')}"


def _done_sentence(column: Answer) -> str:
    if column["action"] == "keep":
        return "It is kept as it is, by decision."
    if column["scope"] == "column":
        return f"It is {DONE_TO[column['action']]} in {many(column['rows'], 'row')}."
    return f"It is {DONE_TO[column['action']]} where it stands: {many(column['masked'], 'place')}."


def _quoted(dataset: str, column: str) -> str:
    return quoted(f"{dataset}.{column}")
