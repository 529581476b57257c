"""What a column may be called: fit for SQL and polars."""

import re
import unicodedata

from core.models import LINE

LONGEST = 255


def fit(name: str) -> str:
    """Control characters are spaces, `"` is `'`, and `^…$` is no pattern; empty if nothing is left.

    Letters are composed: an é is one letter, however it was written.
    """
    column = re.sub(r"[\x00-\x1f\x7f\ufeff]+", " ", unicodedata.normalize("NFC", name)).strip().replace('"', "'")
    if column.lower().startswith(LINE):  # this name is ours
        column = column.lstrip("_")
    if column.startswith("^") and column.endswith("$"):  # polars, in its own methods too, would look for others
        column = column.lstrip("^")
    return column
