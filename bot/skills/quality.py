"""How good a dataset is: six scores, what pulls them down, and how they went."""

from bot.client import Atlas
from bot.reply import Attachment, Reply, Table
from bot.runs import changed, unmeasured, worst
from bot.skill import skill
from bot.words import change, one_line, when

SHOWN = 10  # rows of the trend


@skill(
    "quality {dataset}",
    right="read:quality",
    help="the six scores and the worst checks",
    example="quality customers",
    holds="counts",
)
async def quality(atlas: Atlas, dataset: str) -> Reply:
    answer, zone = await atlas.quality(dataset), await atlas.zone()
    if answer["score"] is None:
        told = [f"{dataset} was not measured in run #{answer['run']}: {one_line(answer['unmeasured'])}."]
    else:
        by = changed(answer["change"], since=" since the run before")
        by, after = ("", by) if by.startswith(".") else (by, "")  # a sentence of its own
        at = when(answer["checked_at"], zone)
        measured = f"{answer['measured']} of 6 measured"
        told = [f"{dataset} has {answer['score']} of 100 ({measured}){by}: run #{answer['run']}, {at}{after}."]
    if answer.get("state") == "refused":
        told.append(f"That run was refused; the minimum is {answer['minimum_score']:g}. People see the version before.")
    told += [f"{number}. {worst(check)}" for number, check in enumerate(answer["worst"], 1)]
    if answer["score"] is not None and answer["not_measured"]:
        told.append(unmeasured(answer["not_measured"]))
    moved = answer["change"]["dimensions"] if answer["change"] else {}
    rows = [
        [name, score if score is not None else "not measured", change(moved.get(name))]
        for name, score in (answer["dimensions"] or {}).items()
    ]
    return Reply(
        "\n".join(told),
        table=Table(["dimension", "score", "change"], rows) if rows else None,
        facts={key: answer[key] for key in ("dataset", "version", "score", "measured", "dimensions", "worst")},
        attachments=[
            Attachment("image", f"Quality of {dataset}", await atlas.quality_picture(dataset), f"quality-{dataset}.png")
        ],
        next=[f"why {dataset}", f"quality {dataset} trend", f"dead {dataset}"],
        holds="counts",
    )


@skill(
    "quality {dataset} trend",
    right="read:quality",
    help="how the scores have changed",
    example="quality customers trend",
    holds="counts",
)
async def trend(atlas: Atlas, dataset: str) -> Reply:
    items, zone = (await atlas.trend(dataset))["items"], await atlas.zone()
    measured = [item for item in items if item["score"] is not None]
    if not measured:
        return Reply(
            f"Nothing of {dataset} was measured yet.", facts={"items": []}, next=[f"quality {dataset}"], holds="counts"
        )
    first, last = measured[0], measured[-1]
    lowest = min(measured, key=lambda item: float(item["score"]))
    if len(measured) == 1:
        told = f"{dataset} was measured once: {last['score']} in run #{last['run']}, {when(last['at'], zone)}."
    elif all(item["score"] == last["score"] for item in measured):
        told = f"{dataset} has stayed at {last['score']} over {len(measured)} runs."
    else:
        told = (
            f"{dataset} went from {first['score']} to {last['score']} over {len(measured)} runs; "
            f"the lowest was {lowest['score']} in run #{lowest['run']}, {when(lowest['at'], zone)}."
        )
    rows = [[f"#{item['run']}", when(item["at"], zone), item["score"]] for item in reversed(items[-SHOWN:])]
    picture = await atlas.quality_picture(dataset, trend=True)
    return Reply(
        told,
        table=Table(["run", "when", "score"], rows),
        facts={"dataset": dataset, "items": items},
        attachments=[Attachment("image", f"Quality of {dataset} over time", picture, f"quality-{dataset}-trend.png")],
        next=[f"why {dataset}", f"quality {dataset}"],
        holds="counts",
    )
