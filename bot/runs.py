"""How a run is told: its layers while it goes on, and what came of it."""

from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

from bot.client import ENDED, Answer, Atlas, AtlasProblem
from bot.reply import Action, Reply, Step
from bot.words import change, count, listing, many, one_line, percent, spelled, took, when

FACTS = (
    "run", "pipeline", "dataset", "version", "state", "step", "rows_in", "rows_out", "rows_rejected", "score",
    "dimensions", "personal_columns", "tables", "seconds", "error",
)  # fmt: skip
LAYERS = {"explore": "Explore", "chart": "Chart", "navigate": "Navigate"}
STOPPED = ("failed", "cancelled")
DONE_TO = {
    "hash": "hashed", "redact": "redacted", "partial": "partly hidden", "generalize": "made coarser",
    "tokenize": "replaced by tokens", "keep": "kept by decision",
}  # fmt: skip


async def follow(atlas: Atlas, run: Answer, *, note: str = "") -> AsyncIterator[Reply]:
    """A run from where it is to its end: updates, then the answer."""
    zone = await atlas.zone()
    async for seen in atlas.watch(run):
        if seen["state"] not in ENDED:
            yield progress(seen, note)
        run = seen
    yield await outcome(atlas, run, zone, note)


def progress(run: Answer, note: str = "") -> Reply:
    """A run that goes on."""
    text = "Cancelling: it stops at the next batch." if run["cancel_requested"] else run.get("waits") or ""
    cancel = [] if run["cancel_requested"] else [Action(f"cancel {run['run']}", "cancel")]
    return Reply(
        text, title=_title(run, note), steps=steps(run), facts=facts(run, []), next=cancel, going=True, holds="counts"
    )


async def outcome(atlas: Atlas, run: Answer, zone: ZoneInfo, note: str = "") -> Reply:
    """What came of a run, its end first."""
    told = _told_success(run) if run["state"] == "succeeded" else await _told_end(atlas, run, zone)
    after = _next(run)
    return Reply(
        "\n".join(told),
        title=_title(run, note),
        steps=steps(run),
        facts=facts(run, after),
        next=after,
        ok=run["state"] == "succeeded",
        holds="counts",
    )


def facts(run: Answer, after: list[str]) -> dict[str, Any]:
    """What scripts read about a run."""
    return {key: run.get(key) for key in FACTS} | {"next": after}


def steps(run: Answer) -> list[Step]:
    """The three layers, each a line."""
    active = run["state"] not in ENDED
    return [
        Step(LAYERS[layer["layer"]], _layer(run, layer), "failed" if layer["state"] in STOPPED else layer["state"])
        for layer in run["layers"]
        if layer["state"] in ("running", "done", *STOPPED) or active or layer["layer"] == "explore"
    ]


def _title(run: Answer, note: str) -> str:
    title = f"Run #{run['run']} of {run['pipeline']}"
    notes = [note] if note else []
    if run.get("masking"):
        notes.append("masks what is published")
    if run.get("rebuild"):
        notes.append("builds the table")
    if run["joined"]:
        notes.append("already under way")
    if run["full"]:
        notes.append("everything anew")
    if run["retry_of"]:
        notes.append(f"a retry of #{run['retry_of']}")
    if run["resumed"]:
        notes.append("resumed after its worker had gone")
    return f"{title} ({', '.join(notes)})" if notes else title


def _layer(run: Answer, layer: Answer) -> str:
    if layer["state"] == "waiting":
        return "waits for a worker" if layer["layer"] == "explore" and run["state"] == "queued" else ""
    if layer["state"] == "skipped":
        return "not started"
    if layer["state"] in STOPPED:
        return "stopped" if run["state"] == "cancelled" else "failed"
    told = {"explore": _explore, "chart": _chart, "navigate": _navigate}[layer["layer"]](run, layer)
    return told if layer["state"] == "done" else f"{told} …" if told else "…"


def _explore(run: Answer, layer: Answer) -> str:
    rows = layer["rows"] if run["rows_in"] is None else run["rows_in"]
    if layer["state"] == "done":
        return f"{many(rows, 'row')} from {many(run['files'], 'file')}"
    return _so_far(layer, "file") or (f"reading {many(layer['parts'], 'file')}" if layer["parts"] else "reading")


def _chart(run: Answer, layer: Answer) -> str:
    if layer["state"] != "done":
        return _so_far(layer, "part") or "looking for personal data, checking the contract"
    masked = [c for c in run["personal_columns"] if c["action"] != "keep"]
    columns = f"{many(len(masked), 'column')} masked" if masked else "no column masked"
    rejected = run["rows_rejected"] or 0
    return f"{columns}, {many(rejected, 'row') if rejected else 'no rows'} rejected"


def _navigate(run: Answer, layer: Answer) -> str:
    if layer["state"] != "done":
        return "building tables"
    tables = run["tables"]
    built = sum(table["state"] == "built" for table in tables)
    told = [many(built, "table") if built else "no tables"] if built or not tables else []
    for table in tables:
        if table["state"] == "waits":
            told.append(f"{one_line(table['name'])} {one_line(table['note'])}")
        elif table["state"] == "failed":
            told.append(f"{one_line(table['name'])} was not built")
    return listing(told, most=4, last=", ")


def _so_far(layer: Answer, noun: str) -> str:
    if not layer["rows"]:
        return ""
    if layer["parts"] < 2:
        return f"{many(layer['rows'], 'row')} so far"
    return f"{many(layer['rows'], 'row')} so far, {layer['parts_done']} of {many(layer['parts'], noun)}"


def _told_success(run: Answer) -> list[str]:
    if run.get("masking"):
        told = [f"Done in {took(run['seconds'])}: {many(run['rows_out'], 'published row')} masked anew.", personal(run)]
        return [line for line in [*told, *(noted(w) for w in run["warnings"])] if line]
    if run.get("rebuild"):
        built = [f"{one_line(t['name'])} has {many(t['rows'], 'row')}" for t in run["tables"] if t["state"] == "built"]
        told = [f"Done in {took(run['seconds'])}: {listing(built, last=', ')}."]
        return told + [noted(warning) for warning in run["warnings"]]
    rows = f"{count(run['rows_in'])} in, {count(run['rows_out'])} out, {count(run['rows_rejected'])} rejected"
    told = [f"Done in {took(run['seconds'])}: {rows}.", _rejected(run), _merged(run), quality(run), personal(run)]
    told += [noted(warning) for warning in run["warnings"]]
    return [line for line in told if line]


def noted(warning: str) -> str:
    """A warning of a run in an answer: a change says itself that it is one."""
    return one_line(warning) if warning.startswith("Changed: ") else f"Note: {one_line(warning)}"


def _rejected(run: Answer) -> str:
    """`Rejected: email is empty (30 rows); has 3 values, the header has 4 (7 rows).`"""
    causes = [f"{cause(why['cause'])} ({many(why['rows'], 'row')})" for why in run["rejected_for"]]
    return f"Rejected: {'; '.join(causes)}." if causes else ""


def cause(told: str) -> str:
    """Why a row was rejected, as a sentence without its end."""
    said = one_line(told).rstrip(".")
    return f"“{said.removeprefix('not: ')}” does not hold" if said.startswith("not: ") else said


def _merged(run: Answer) -> str:
    """What came since was merged into what was there."""
    rows = run.get("merged_rows")
    return "" if rows is None else f"Merged by key: {run['pipeline']} has {many(rows, 'row')} now."


async def _told_end(atlas: Atlas, run: Answer, zone: ZoneInfo) -> list[str]:
    """A run that published nothing: what happened, and what people see now."""
    name, error = run["pipeline"], run["error"] or {}
    layer = next((LAYERS[x["layer"]] for x in run["layers"] if x["state"] in STOPPED), None)
    message = str(error.get("message") or "").rstrip(".")
    if run["state"] == "refused":
        told = [f"Run #{run['run']} of {name} was refused. {message}.", quality(run)]
    elif run["state"] == "cancelled":
        told = [f"Run #{run['run']} of {name} was cancelled{f' in {layer}' if layer else ''}."]
    else:
        where = f" in {layer}" if layer else ""
        told = [f"Run #{run['run']} of {name} failed{where}{error.get('tries') or ''}: {message or 'no reason given'}."]
        if hint := error.get("hint"):
            told.append(str(hint) if " " in str(hint) else "")
    told.append(await stands(atlas, run, zone))
    return [line for line in told if line]


async def stands(atlas: Atlas, run: Answer, zone: ZoneInfo) -> str:
    """Which version people see after a run that ended badly."""
    name, good = run["pipeline"], run["last_good"]
    if run["version"] is not None:
        return f"Version {run['version']} of {name} had been published before that."
    if good is None:
        return f"Nothing was published; {name} has no version yet."
    try:
        at = f" ({when((await atlas.run(good))['finished_at'], zone)})"
    except AtlasProblem:
        at = ""  # the run is told all the same
    return f"Nothing was published; {name} is still the version of run #{good}{at}."


def quality(run: Answer) -> str:
    """`Quality 94.1 (5 of 6 measured), 2.3 down. email is empty in 9.0 % of rows.`"""
    if run["measured"] is None:
        return ""
    if run["score"] is None:
        return f"Quality was not measured: {one_line(run['unmeasured'])}."
    broken = unmeasured(run["not_measured"])
    told = f"Quality {run['score']} ({run['measured']} of 6 measured){changed(run['change'])}."
    return " ".join([told, *(worst(check) for check in run["worst"][:1]), *([broken] if broken else [])])


def changed(moved: Answer | None, *, since: str = "") -> str:
    """`, 2.3 down`, over the rules that both runs have, and whether the contract changed; nothing of a first run."""
    said = change(moved["score"]) if moved else ""
    if moved and moved["contract"]:
        both = f"by the rules that both runs have the score is {said}" if said else "no rule was measured in both"
        return f". The contract has changed since run #{moved['since']}; {both}"
    return f", {said}{since}" if said else ""


def unmeasured(rules: list[str]) -> str:
    """`Not measured: kundenr is in kunder.nr: kunder has not run yet.`"""
    return f"Not measured: {'; '.join(one_line(rule) for rule in rules)}." if rules else ""


def worst(check: Answer) -> str:
    """A check that failed, in a sentence."""
    if note := check.get("note"):
        said = one_line(note).rstrip(".")
        return f"{said[:1].upper()}{said[1:]}{_cost(check)}."
    share = percent(check["failed"], check["tested"])
    rows = "row" if check["tested"] == 1 else "rows"
    return f"{one_line(check['fault'])} in {share} of {count(check['tested'])} {rows}{_cost(check)}."


def _cost(check: Answer) -> str:
    """` (1.8 points)`."""
    taken = float(check.get("points") or 0)
    return f" ({taken:.1f} points)" if taken >= 0.05 else ""


def personal(run: Answer) -> str:
    """`Personal data: name, email hashed; notes cleaned in 1,204 places.`"""
    whole: dict[str, list[str]] = {}
    parts = []
    for column in run["personal_columns"]:
        if column["action"] == "keep" or column["scope"] == "column":
            whole.setdefault(DONE_TO[column["action"]], []).append(column["column"])
        elif column["masked"] is None:  # how many is only for those who may read personal data
            parts.append(f"{one_line(column['column'])} cleaned")
        elif column["masked"]:
            parts.append(f"{one_line(column['column'])} cleaned in {many(column['masked'], 'place')}")
    parts += [
        f"{'single values' if column['masked'] is None else many(column['masked'], 'single value')} masked in "
        f"{one_line(column['column'])}"
        for column in run.get("found_elsewhere", [])
    ]
    told = [f"{listing(columns)} {verb}" for verb, columns in whole.items()] + parts
    if told:
        return f"Personal data: {'; '.join(told)}."
    return (
        "Personal data: none found."
        if any(x["layer"] == "chart" and x["state"] == "done" for x in run["layers"])
        else ""
    )


def _next(run: Answer) -> list[str]:
    """What one would say after this run."""
    name, number = run["pipeline"], run["run"]
    if run.get("rebuild"):
        return [f"show {name}", f"lineage {name}"] if run["state"] == "succeeded" else [f"run {name}", f"why {name}"]
    if run["state"] == "succeeded":
        after = [f"why {name}"] if run["change"] and change(run["change"]["score"]).endswith("down") else []
        after += [f"dead {name}"] if run["rows_rejected"] else []
        after += [f"why {t['name']}" for t in run["tables"] if t["state"] == "failed"][:1]
        after += [f"show {t['name']}" for t in run["tables"] if t["state"] == "built"][:1]
        return [*after, *([f"pii {name}"] if run["personal_columns"] else []), f"quality {name}"][:3]
    if run["state"] == "refused":
        return [f"why {number}", *([f"dead {name}"] if run["rows_rejected"] else []), f"quality {name}"]
    if run["state"] == "cancelled":
        return [f"retry {number}"]
    return [f"retry {number}", f"runs {name}"]


def depend(names: list[str]) -> str:
    """`Four tables depend on it.`"""
    if not names:
        return "No table depends on it."
    return f"{spelled(len(names))} {'table depends' if len(names) == 1 else 'tables depend'} on it."
