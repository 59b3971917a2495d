"""Arrow values from Python's, without pandas.

pyarrow's own `array` and `scalar` import pandas wherever it is installed, which takes longer than
exporting a small account.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def numbers(values: np.ndarray) -> pa.Array:
    """The array of numpy's integers or floats, over the same memory."""
    contiguous = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(contiguous.dtype)
    return pa.Array.from_buffers(kind, len(contiguous), [None, pa.py_buffer(contiguous)])


def texts(values: Sequence[str]) -> pa.StringArray:
    """The array of texts. UnicodeEncodeError where UTF-8 cannot carry one."""
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    buffers = (pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
    return pa.StringArray.from_buffers(len(encoded), *buffers)


def text(value: str) -> pa.StringScalar:
    """One text."""
    return texts([value])[0]


def no_rows(schema: pa.Schema) -> pa.Table:
    """A table of the schema's columns that is empty."""
    return pa.Table.from_batches([], schema)


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the schema's columns that is empty."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
