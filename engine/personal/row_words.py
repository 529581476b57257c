"""The row as a dictionary of its own texts: what its other columns say of a person is masked in its sentences too."""

from collections.abc import Mapping

import polars as pl

from core.models import Verdict
from engine.personal import lexicon, spans
from engine.personal.actions.redact import label
from engine.personal.names import COMMON

LONG = 6  # characters from which a value is masked wherever it stands; a shorter one could be anything
_WHOLE = (
    "EMAIL",
    "PHONE",
    "CPR",
    "NATIONAL_ID",
    "ADDRESS",
    "IBAN",
    "CREDIT_CARD",
    "BANK_ACCOUNT",
    "DATE_OF_BIRTH",
    "PERSON",
    "USERNAME",
)
_WORD = r"\p{L}[\p{L}\p{M}]*(?:[-’'`]\p{L}[\p{L}\p{M}]+)*"
_CAPITAL = r"^\p{Lu}"
_TWICE = r"\[PERSON\](?:[ ,-]{1,2}\[PERSON\])+"

Texts = dict[str, pl.Series]
Counts = dict[str, dict[str, int]]


def mask(frame: pl.DataFrame, texts: Texts, verdicts: Mapping[str, Verdict]) -> tuple[Texts, Counts]:
    """The texts (already masked as far as they speak for themselves) without what the row's own columns hold, and how
    many cells of which column held which kind."""
    typed = [(n, v.types[0]) for n, v in verdicts.items() if n in frame.columns and _says(v)]
    if not typed or not texts:
        return texts, {}
    done, counts = (
        {name: text.clone() for name, text in texts.items()},
        Counts(),
    )  # polars scatters into the series itself
    for name in texts:
        held: dict[str, int] = {}
        for source, type_ in typed:
            if source == name or frame[source].dtype != pl.String:
                continue
            done[name] = _whole(done[name], frame[source], type_, held)
            if type_ == "PERSON" and verdicts[name].scope == "spans":
                done[name] = _words(done[name], frame[source], held)
        if held:
            counts[name] = held
    return done, counts


def reads(verdict: Verdict) -> bool:
    """Whether a column holds texts of its row's person."""
    return (verdict.scope == "spans" or bool(verdict.options.get("row"))) and not verdict.options.get("decided")


def _says(verdict: Verdict) -> bool:
    return bool(verdict.types) and verdict.types[0] in _WHOLE and verdict.scope != "spans" and verdict.action != "keep"


def _whole(texts: pl.Series, values: pl.Series, type_: str, held: dict[str, int]) -> pl.Series:
    """The value as it stands, at any place."""
    pairs = pl.DataFrame({"t": texts, "v": values.str.strip_chars()})
    several = r"\d|\p{L}.*\P{L}.*\p{L}"  # a name alone is looked for word by word
    long = (pl.col("v").str.len_chars() >= LONG) & (pl.col("v").str.contains(several) | pl.lit(type_ == "USERNAME"))
    at = pairs.select((long & pl.col("t").str.contains(pl.col("v"), literal=True)).fill_null(False)).to_series()
    where = at.arg_true()
    if where.is_empty():
        return texts
    masked = pairs[where].select(pl.col("t").str.split(pl.col("v")).list.join(label(type_)))["t"]
    held[type_] = held.get(type_, 0) + len(where)
    return texts.scatter(where, masked)


def _words(texts: pl.Series, names: pl.Series, held: dict[str, int]) -> pl.Series:
    """Each word of the name: an everyday word only where it has a capital letter and does not open the text."""
    own = (
        pl.DataFrame({"name": names})
        .with_row_index("row")
        .with_columns(word=pl.col("name").str.extract_all(_WORD))
        .drop("name")
        .explode("word", empty_as_null=False)
        .with_columns(word=pl.col("word").str.to_lowercase())
        .unique(maintain_order=True)
    )
    passed = lexicon.among(own["word"], "particles", "titles", "company_forms")
    common = lexicon.among(own["word"], *COMMON, "places", "brands")
    own = own.filter((pl.col("word").str.len_chars() > 1) & ~pl.col("word").is_in(passed.implode())).with_columns(
        common=pl.col("word").is_in(common.implode())
    )
    if own.is_empty():
        return texts
    small = texts.str.to_lowercase()
    near = own.with_columns(t=small.gather(own["row"])).filter(pl.col("t").str.contains(pl.col("word"), literal=True))
    rows = near["row"].unique().sort()
    if rows.is_empty():
        return texts
    found = spans.pieces(texts.gather(rows), _WORD).with_columns(
        word=pl.col("value").str.to_lowercase().str.replace(r"['’`]s$", ""), at=pl.int_range(pl.len())
    )
    own = near.select(pl.col("row"), "word", "common").with_columns(
        row=pl.col("row").replace_strict(rows, pl.int_range(len(rows), eager=True), return_dtype=pl.Int64)
    )
    # `Holms` is Holm's; a word that is itself in the name is not cut
    found = found.with_columns(bare=pl.col("word").str.replace(r"(?:['’]?s|['’])$", ""))
    joined = found.join(own, on=["row", "word"], how="left", maintain_order="left").join(
        own.rename({"word": "bare", "common": "common_bare"}), on=["row", "bare"], how="left", maintain_order="left"
    )
    everyday = pl.coalesce("common", "common_bare")
    opens = pl.col("before").fill_null("").str.contains(r"(?:^|[.!?]\s+)$") & (
        pl.col("before").fill_null("").str.len_chars() < 3
    )
    capital = pl.col("value").str.contains(_CAPITAL)
    hit = (
        everyday.is_not_null()
        & ~(pl.col("before").fill_null("").str.ends_with("[") & pl.col("after").str.starts_with("]"))
        & (~everyday | (capital & ~opens))
    ).fill_null(False)
    written = (
        joined.select(
            "row",
            hit=hit,
            text=pl.when(hit).then(pl.lit(label("PERSON"))).otherwise(pl.col("value").fill_null("")) + pl.col("after"),
        )
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(""), pl.col("hit").any())
        .filter("hit")
    )
    if written.is_empty():
        return texts
    held["PERSON"] = held.get("PERSON", 0) + len(written)
    return texts.scatter(rows.gather(written["row"]), written["text"].str.replace_all(_TWICE, label("PERSON")))
