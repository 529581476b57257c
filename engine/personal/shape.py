"""How a column of values looks: scores by pattern, and the arithmetic of check digits, all vectorised."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

# how people write that there is no value
NULLISH = (
    r"(?i)^\s*(?:|null|none|nan|n/?a|na|nil|-+|\?+|ukendt|unknown|ingen|<na>|nat|\.|tbd|ej oplyst|ikke oplyst)\s*$"
)
BLANK = r"^[\s\p{P}\p{S}]*$"  # where nothing is written at all


def tiers(values: pl.Series, *shapes: tuple[str, float]) -> pl.Series:
    """The score of the first pattern that each value matches, else 0."""
    name = values.name
    column = pl.first()  # its name may be `*`
    expression = pl.lit(0.0)
    for pattern, score in reversed(shapes):
        expression = pl.when(column.str.contains(pattern)).then(score).otherwise(expression)
    return values.to_frame().select(expression.fill_null(0.0).alias(name)).to_series()


def choose(condition: pl.Series, then: pl.Series | float, otherwise: pl.Series | float) -> pl.Series:
    frame = pl.DataFrame({"c": condition, "t": then, "o": otherwise}) if len(condition) else None
    if frame is None:
        return pl.Series([], dtype=pl.Float64)
    return frame.select(pl.when("c").then("t").otherwise("o").cast(pl.Float64)).to_series()


def digits(values: pl.Series) -> pl.Series:
    """What is left of each value but 0 to 9: `\\D` would leave the digits of all other scripts too."""
    return values.str.replace_all("[^0-9]", "")


def matrix(values: pl.Series, width: int) -> npt.NDArray[np.int64]:
    """Digit strings as rows of digits, zero-padded on the left; longer ones keep their last `width`."""
    padded = values.fill_null("").str.zfill(width).str.tail(width)
    raw = np.frombuffer("".join(padded.to_list()).encode("ascii"), dtype=np.uint8)
    return raw.reshape(-1, width).astype(np.int64) - 48


def weighted_sum(values: pl.Series, weights: Sequence[int]) -> npt.NDArray[np.int64]:
    """The sum of digit times weight, as check digits need it."""
    total: npt.NDArray[np.int64] = matrix(values, len(weights)) @ np.array(weights)
    return total


def luhn(values: pl.Series) -> pl.Series:
    """Whether each digit string passes Luhn's check."""
    each = matrix(values, 20)
    doubled = each[:, ::2] * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + each[:, 1::2].sum(axis=1)
    return pl.Series(total % 10 == 0)


def mod97(values: pl.Series) -> pl.Series:
    """Whether each IBAN, without spaces and in capitals, passes ISO 7064 mod 97-10."""
    letters = {chr(55 + n): str(n) for n in range(10, 36)}
    turned = (values.str.slice(4) + values.str.head(4)).str.replace_many(letters).str.zfill(72)
    rest = pl.lit(0, dtype=pl.Int64)
    for at in range(0, 72, 9):
        rest = (rest * 1_000_000_000 + pl.col("v").str.slice(at, 9).cast(pl.Int64, strict=False)) % 97
    return pl.DataFrame({"v": turned}).select((rest == 1).fill_null(False)).to_series()


def nfc(values: pl.Series) -> pl.Series:
    """Unicode's composed form. Texts of ASCII alone are in it already, and most are."""
    at = (values.str.len_bytes() != values.str.len_chars()).arg_true()
    return values if at.is_empty() else values.clone().scatter(at, values.gather(at).str.normalize("NFC"))


def lengths(values: pl.Series) -> pl.Series:
    return values.str.len_chars()
