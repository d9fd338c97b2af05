"""The columns of the files as the catalogue shows them. What they are and mean is in `model.bar_files`."""

import dagster as dg

from mohlcv_dagster.model.bar_files import BOUNDS, BOUNDS_BETWEEN, COLUMNS, MEANINGS, PRICES, TIME, UNITS, VOLUME


def schema_of_bars() -> dg.TableSchema:
    """The columns of every file with types, units and meanings; which type volume has is recorded with each file."""
    types = {TIME: "timestamp[s, UTC]", **dict.fromkeys(PRICES, "float64")}
    types[VOLUME] = "int64 or float64"
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=types[name],
                description=MEANINGS[name],
                constraints=dg.TableColumnConstraints(nullable=False, unique=name == TIME, other=list(BOUNDS[name])),
                tags={"unit": UNITS[name]},
            )
            for name in COLUMNS
        ],
        constraints=dg.TableConstraints(other=list(BOUNDS_BETWEEN)),
    )


def meanings(columns: dg.TableSchema) -> str:
    """The columns with their meanings as a Markdown table, for the description of an asset."""
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in columns.columns]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
