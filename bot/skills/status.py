"""How things stand: everywhere, with a pipeline, or with a run."""

import contextlib

from bot.alerts import heads, summary
from bot.client import ENDED, Answer, Atlas, AtlasProblem
from bot.reply import Reply, Table
from bot.runs import outcome, progress
from bot.skill import skill
from bot.words import listing, many, one_line, when


@skill(
    "status [{subject}]",
    right="read:runs",
    help="the state of everything, of a pipeline or of a run",
    example="status 12",
    holds="counts",
)
async def status(atlas: Atlas, subject: str | None = None) -> Reply:
    if subject is None:
        return await _everywhere(atlas)
    if subject.isdecimal():
        return await _of_run(atlas, int(subject))
    last = (await atlas.runs(subject, limit=1))["items"]
    if not last:
        return Reply(
            f"{subject} has not run yet.",
            facts={"pipeline": subject, "run": None},
            next=[f"run {subject}"],
            holds="counts",
        )
    return await _of_run(atlas, last[0]["run"])


async def _of_run(atlas: Atlas, number: int) -> Reply:
    run, zone = await atlas.run(number), await atlas.zone()
    if run["state"] not in ENDED:
        seen = progress(run, f"since {when(run['created_at'], zone)}")
        seen.going = False  # it is not watched: this is the answer
        return seen
    told = await outcome(atlas, run, zone, when(run["finished_at"], zone))
    told.ok = True  # the question was answered, whatever the run came to
    return told


async def _everywhere(atlas: Atlas) -> Reply:
    items, zone = (await atlas.pipelines())["items"], await atlas.zone()
    runs: list[Answer] = [{**item["last_run"], "pipeline": item["name"]} for item in items if item["last_run"]]
    order = ("failed", "refused", "running", "queued", "cancelled", "succeeded")
    runs.sort(key=lambda run: order.index(run["state"]))
    bad = [run for run in runs if run["state"] in ("failed", "refused")]
    active = [run for run in runs if run["state"] not in ENDED]
    wrong: list[Answer] = []
    processes: list[Answer] = []
    with contextlib.suppress(AtlasProblem):  # an older server may not know
        processes = await atlas.workers()
    with contextlib.suppress(AtlasProblem):  # a token may be let see runs and no quality
        wrong = heads(await atlas.alerts())
    if not items:
        told = "There is no pipeline yet."
    elif bad:
        told = f"{listing([run['pipeline'] for run in bad])} {'needs' if len(bad) == 1 else 'need'} a look."
    else:
        told = _went(items, runs)
    if active:
        told += f" {many(len(active), 'run')} under way."
    idle = len(items) - len(runs)
    if idle and (bad or runs):
        told += f" {many(idle, 'pipeline has', 'pipelines have')} not run yet."
    told = " ".join(part for part in (told, _who_works(processes), summary(wrong)) if part)
    rows = [
        [run["pipeline"], f"#{run['run']}", run["state"], when(run["created_at"], zone), run["score"]] for run in runs
    ]
    after = [f"why {run['run']}" for run in bad[:2]] + [f"status {run['run']}" for run in active[:1]]
    after += ["alerts"] if wrong else []
    return Reply(
        told,
        table=Table(["pipeline", "run", "state", "when", "score"], rows) if rows else None,
        facts={"items": runs, "workers": processes},
        next=after or ["pipelines"],
        holds="counts",
    )


def _went(items: list[Answer], runs: list[Answer]) -> str:
    """`2 of 3 pipelines succeeded in their last run; cases was cancelled.`"""
    good = sum(run["state"] == "succeeded" for run in runs)
    cancelled = [run["pipeline"] for run in runs if run["state"] == "cancelled"]
    if not runs:
        return "No pipeline has run yet."
    which = f"{good} of {many(len(items), 'pipeline')}" if good < len(items) else _all(good)
    told = f"{which} succeeded in {'its' if len(items) == 1 else 'their'} last run"
    was = "was" if len(cancelled) == 1 else "were"
    return f"{told}; {listing(cancelled)} {was} cancelled." if cancelled else f"{told}."


def _all(number: int) -> str:
    return "The pipeline" if number == 1 else f"All {number:,} pipelines"


def _who_works(processes: list[Answer]) -> str:
    """Who works, who does not and why, and whose duties fail."""
    if not processes:
        return ""
    working = [it for it in processes if it["works"]]
    told = [f"{many(len(working), 'worker')} running." if working else "No worker is running; start one: atlas worker."]
    for it in processes:
        if it["why"]:
            told.append(f"The {it['does']} {it['host']}:{it['pid']} does no work: {one_line(it['why'])}")
        if it["failing"]:
            told.append(f"On {it['host']}:{it['pid']} this fails: {listing(it['failing'])}.")
    return " ".join(told)
