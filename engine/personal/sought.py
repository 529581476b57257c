"""How a child has values of a column masked: its parent does it, because the child has no masking key."""

import json
import struct
from collections.abc import Callable, Collection

import polars as pl
import pyarrow as pa

from engine.sql.child import Died

MaskValues = Callable[[str, pl.Series], pl.Series]
_SIZES = struct.Struct(">IQ")  # length of the column's name in bytes, and number of values


def question(column: str, values: pl.Series) -> bytes:
    """Values without a null, as Arrow lays texts out: where each begins, and all of them in a row."""
    name = json.dumps(column).encode()
    texts = pa.concat_arrays([values.to_arrow().cast(pa.large_string()), pa.array([], pa.large_string())])
    _, begins, letters = texts.buffers()
    begun = begins.to_pybytes()[: 8 * (len(texts) + 1)] if len(texts) else bytes(8)
    return b"".join((_SIZES.pack(len(name), len(texts)), name, begun, letters.to_pybytes() if letters else b""))


def answer(question: bytes, columns: Collection[str], mask: MaskValues) -> bytes:
    """The masked values as an Arrow stream. Raises Died if the question makes no sense: it comes from a child."""
    try:
        named, count = _SIZES.unpack_from(question)
        column = json.loads(question[_SIZES.size : _SIZES.size + named])
        begun = _SIZES.size + named
        letters = begun + 8 * (count + 1)
        if column not in columns or letters > len(question):
            raise ValueError
        buffers = [None, pa.py_buffer(question[begun:letters]), pa.py_buffer(question[letters:])]
        texts = pa.Array.from_buffers(pa.large_string(), count, buffers)
        texts.validate(full=True)
    except (struct.error, ValueError, TypeError, RecursionError, pa.ArrowException) as error:
        raise Died from error
    masked = mask(column, pl.Series(column, pl.from_arrow(texts)))
    table = pa.table({"masked": masked.to_arrow()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def answered(body: bytes) -> pl.Series:
    """What the parent has masked."""
    found = pl.from_arrow(pa.ipc.open_stream(body).read_all())
    assert isinstance(found, pl.DataFrame)
    return found["masked"]
