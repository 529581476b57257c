"""Phone numbers: Danish ones in every grouping, foreign ones with their country code or usual form."""

from functools import cache

import phonenumbers
import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, lengths, nfc, tiers

SPAN = r"(?:\(\+\d{1,3}\) ?|(?:\+|\b00) ?)?(?:\(\d{1,5}\)|\b\d)(?:[ ./()–-]{0,3}\d){6,14}\b"
SURE = r"(?:\+|\b00)[1-9]\d{0,2}(?:[ ./()-]{0,3}\d){6,12}\b|\b\d\d(?: \d\d){3}\b|\(\d{3}\) ?\d{3}-\d{4}\b"
_SAID = (
    r"(?i)(?:tlf|telefon|phone|mobil|mobile|\bmob|\bring|\bcall|\btext|\bsms|\bdial|\bfax|\bcell|\btel\b|\bkald|whats ?app|"
    r"kontakt|træffes|fanges|reach|nummer|number|\bsvar|\bnået)[\w]*[^\d]{0,16}$"
)
_NOT = (
    r"(?i)(?:cvr|ordre|order|faktura|invoice|\bsag|\bcase|\bref|kunde|customer|konto|account|vare|\bean|\bgln|\bsku|\bvat|"
    r"\bse\b|ticket|bilag|track|pakke|parcel|seri|batch|\blot|booking|police|policy|medlem|member|model|aftale|kontrakt|"
    r"contract|journal|\breg\b\.?|passport|\bpas\b|kørekort|licen[cs]e|project|projekt|artikel|article|item|part|style|\bid\b|"
    r"\bhs|toldkode|lev\w*|version|løbenr|kreditnota|credit ?note|\bnota|tilbud|quote|\bkode|\bcode|\bpin|bestil|\bkr\b\.?|\bdkk\b|\beur\b|\busd\b|\$|€|£|#|\bp-?nr)[\w-]*\W{0,3}(?:nr|no|number|nummer|id|er|is)?\W{0,4}$"
)


def score(values: pl.Series) -> pl.Series:
    length = lengths(digits(values))
    shaped = tiers(
        values,
        (r"^(?:\+|00|\(\+) ?\(?[1-9][\d ./()–-]{6,22}$", 0.95),
        (r"(?i)^(?:tlf|tel|phone|mob)\w*\W*\+?\d[\d ./()–-]{6,22}$", 0.95),
        (r"^\(?\+?45\)?[ -]?[2-9]\d{7}$", 0.6),
        (r"^\(?[2-9]\d(?:[ .–-]\d\d){3}$", 0.85),
        (r"^\(\d{2,5}\) ?\d[\d –-]{4,12}$", 0.9),
        (r"^1?[ .-]?\d{3}[.-]\d{3}[.-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,6})?$", 0.8),
        (r"^0\d{2,4}[ -/]\d{3,4}[ -]?\d{3,5}$", 0.7),
        (r"^[2-9]\d{3}[ -]\d{4}$|^[2-9]\d\d \d\d \d{3}$|^[2-9]\d \d{3} \d{3}$|^[2-9]\d \d{2} \d{4}$", 0.6),
        (r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$", 0.03),
        (r"^[2-9]\d{7}$", 0.3),
        (r"^\d{2,4}[ -]\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4})?(?: ?(?:x|ext\.?) ?\d{1,6})?$", 0.3),
        (r"^\+?[\d ()./–-]{7,20}$", 0.1),
        (r"\d(?:[ ./-]{0,2}\d){7}", 0.1),
    )
    date = values.str.contains(
        r"^(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4})(?:[ T]\d.*)?$|^\d+[.,]\d+$"
    ).fill_null(False)
    return choose(((length >= 7) & (length <= 17)) & ~date, shaped, 0.0)


def judge(before: pl.Series, value: pl.Series, after: pl.Series) -> pl.Series:
    plain = score(value.str.strip_chars())
    said = before.str.contains(_SAID).fill_null(False)
    # what a comma or a bracket keeps apart is no label: "closed the case, 40 88 …"
    apart = (plain >= 0.8) & before.str.contains(r"[,;(] ?$").fill_null(False)
    other = before.str.contains(_NOT).fill_null(False) & ~apart
    inside = before.str.contains(r"[\p{L}\d][-./_]?$|\d[.,]$").fill_null(False) | after.str.contains(
        r"^(?:[-/_]?[\p{L}\d]|[.,]\d| ?(?:kr|dkk|eur|%|stk|kg))"
    ).fill_null(False)
    bare = (plain >= 0.29) & (plain < 0.6)
    return choose(
        inside, 0.0, choose(said & (plain > 0.05), plain + 0.6, choose(other, plain - 0.55, choose(bare, 0.62, plain)))
    )


@cache
def _plain_prefixes() -> str:
    """Country codes whose numbers are written the same in E.164 unless the national part begins with 0."""
    codes = []
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        about = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
        if about and about.national_prefix_transform_rule is None and about.national_prefix_for_parsing in (None, "0"):
            codes.append(str(code))
    return "|".join(sorted(codes))


def _parsed(value: str) -> str:
    try:
        number = phonenumbers.parse(value, "DK")
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def canonical(values: pl.Series) -> pl.Series:
    """E.164."""
    done = "+45" + values
    other = (~values.str.contains(r"^[2-9][0-9]{7}$")).arg_true()
    return done if other.is_empty() else done.scatter(other, _put_together(values.gather(other)))


def _put_together(values: pl.Series) -> pl.Series:
    """Danish numbers in groups and plain foreign ones here; `phonenumbers` reads the other different values."""
    text = nfc(values).str.strip_chars()
    tidy = text.str.replace_all(r"[ ./()–\u{a0}-]", "").str.replace(r"^00", "+")
    frame = pl.DataFrame({"text": text, "tidy": tidy}).with_columns(
        known=pl.when(
            pl.col("tidy").str.contains(r"^(?:\+?45)?[2-9]\d{7}$") & ~pl.col("tidy").str.contains(r"^\d{9,}$")
        )
        .then(pl.lit("+45") + pl.col("tidy").str.tail(8))
        .when(pl.col("tidy").str.contains(rf"^\+(?:{_plain_prefixes()})[1-9]\d{{6,11}}$"))
        .then("tidy")
    )
    rest = frame.filter(pl.col("known").is_null() & pl.col("text").is_not_null())["text"].unique()
    if len(rest):
        slow = pl.DataFrame(
            {"text": rest, "slow": [_parsed(value) for value in rest]}, schema_overrides={"slow": pl.String}
        )
        frame = frame.join(slow, on="text", how="left", maintain_order="left")
        return frame.select(pl.coalesce("known", "slow")).to_series()
    return frame["known"]


def danish(values: pl.Series) -> float:
    """The share of bare eight-digit numbers that a Danish telephone can have, 0 if they lie too close together."""
    numbers = values.filter(values.str.contains(r"^[2-9]\d{7}$"))
    wide = numbers.str.head(2).n_unique() >= min(25, len(numbers) // 3)  # numbers that are given out in order lie close
    return len(numbers) / len(values) if wide and len(values) else 0.0


recognizer = Recognizer(
    "PHONE",
    rank=80,
    score=score,
    header=r"tlf|telefon|phone|mobil|\b(?:tel|mob|fax|telefax|cell|gsm|msisdn|sms)\b|\bkontakt ?(?:nr|nummer)\b|fax(?:nr)?$",
    weak_header=r"\b(?:kontakt|contact|nummer|number|privat|arb|direkte|lokal)\b",
    not_header=r"model|\b(?:type|brand|os|ean|cvr|vat|verified|count|antal|ordre|order|faktura|invoice|kundenr|varenr|gln)\b",
    span=SPAN,
    sure=SURE,
    judge=judge,
    family="phone",
    canonical=canonical,
)
