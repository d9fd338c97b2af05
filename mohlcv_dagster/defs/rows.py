"""Rows of a table as metadata, which the UI shows as a table. How many are shown, and of what, is decided elsewhere."""

import math
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

if TYPE_CHECKING:
    import pyarrow as pa

Cell: TypeAlias = str | int | float | bool | None


def of(table: "pa.Table") -> list[dg.TableRecord]:
    """Every row of `table`, which is as long as it may be in an event that is kept for ever."""
    return [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in table.to_pylist()]


def _cell(value: object) -> Cell:
    """A value that JSON can carry: times, and numbers that are not finite, as text; a list as its items."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
