"""NumPy arrays and Python texts ⇄ Arrow arrays, without pandas. What the columns mean is in `schema`.

Arrow's own ways (`pyarrow.array`, `scalar`, `to_numpy`, a kernel handed a Python number or text) do this too, but the
first of them in a process loads pandas, to know its types when it meets them (pyarrow 26): up to a second. Nothing on
the way of a bar does; a test holds it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DTYPES: Final[dict[pa.DataType, Any]] = {pa.int32(): np.int32, pa.int64(): np.int64, pa.float64(): np.float64}


def from_numpy(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - the stubs have a type for each dtype, and none for all
    """An Arrow array of these values, on their memory where they lie in one piece (truth values are packed to bits).

    Args:
        values: integers, floats or truth values, of shape (rows,).
        missing: which of them are null, of the same shape; `None` for none.
    """
    kind = pa.from_numpy_dtype(values.dtype)
    content = _packed(values) if values.dtype == np.bool_ else _buffer(values)
    return pa.Array.from_buffers(kind, len(values), [None if missing is None else _packed(~missing), content])


def to_numpy(column: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - as above
    """The values of an Arrow column of int32, int64, float64 or truth values, shape (rows,), read only.

    On its memory where it lies in one piece and has no nulls. With nulls it is float64, and they are NaN.
    """
    array = in_one_piece(column) if isinstance(column, pa.ChunkedArray) else column
    content: Any = array.buffers()[-1] or b""
    values: npt.NDArray[Any]
    if array.type == pa.bool_():
        values = _unpacked(content, array)
    else:
        values = np.frombuffer(content, _DTYPES[array.type])[array.offset : array.offset + len(array)]
    return np.where(missing(array), np.nan, values) if array.null_count else values


def in_one_piece(column: "pa.ChunkedArray[Any]") -> Any:  # noqa: ANN401 - as above
    """A column as one array; on its memory where it is one already, which `combine_chunks` copies all the same."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def missing(array: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - as above
    """Which values of an Arrow array are null, shape (rows,)."""
    if not array.null_count:
        return np.zeros(len(array), np.bool_)
    return ~_unpacked(array.buffers()[0], array)


def from_texts(texts: Sequence[str], missing: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - as above
    """An Arrow array of these texts.

    Args:
        texts: one for each row, also where it is null.
        missing: which of them are null, of shape (rows,); `None` for none.
    """
    content = [text.encode() for text in texts]
    stops = np.cumsum([0, *map(len, content)], dtype=np.int32)
    nulls = None if missing is None else _packed(~missing)
    return pa.Array.from_buffers(pa.string(), len(content), [nulls, _buffer(stops), pa.py_buffer(b"".join(content))])


def integer(value: int) -> Any:  # noqa: ANN401 - as above
    """An Arrow scalar of a whole number, int64."""
    return from_numpy(np.array([value], np.int64))[0]


def text(value: str) -> Any:  # noqa: ANN401 - as above
    """An Arrow scalar of a text."""
    return from_texts([value])[0]


def _packed(truth: npt.NDArray[np.bool_]) -> pa.Buffer:
    return _buffer(np.packbits(truth, bitorder="little"))


def _unpacked(bits: Any, array: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - as above
    return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[
        array.offset : array.offset + len(array)
    ].astype(np.bool_)


def _buffer(values: npt.NDArray[Any]) -> pa.Buffer:
    whole: Any = np.ascontiguousarray(values)
    return pa.py_buffer(whole)
