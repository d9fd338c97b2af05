"""The columns of the files as the catalogue shows them. What they are and mean is in `bars.schema`."""

import dagster as dg

from mohlcv_dagster.bars import schema


def schema_of_bars() -> dg.TableSchema:
    """The columns of every file with types, units and meanings; which type volume has is recorded with each file."""
    types = {schema.TIME: "timestamp[s, UTC]", **dict.fromkeys(schema.PRICES, "float64")}
    types[schema.VOLUME] = "int64 or float64"
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=types[name],
                description=schema.MEANINGS[name],
                constraints=dg.TableColumnConstraints(
                    nullable=False, unique=name == schema.TIME, other=list(schema.BOUNDS[name])
                ),
                tags={"unit": schema.UNITS[name]},
            )
            for name in schema.COLUMNS
        ],
        constraints=dg.TableConstraints(other=list(schema.BOUNDS_BETWEEN)),
    )


def meanings(columns: dg.TableSchema) -> str:
    """The columns with their meanings as a Markdown table, for the description of an asset."""
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in columns.columns]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
