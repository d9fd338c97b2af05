"""In DuckDB, with SQL over the whole archive: no import, the query reads the CSV files."""

from pathlib import Path

import dagster as dg
import duckdb

import mohlcv_dagster
from mohlcv_dagster.defs.resources import ArchiveResource

SECONDS = dg.AssetKey("raw_1s")

BUSIEST = """
create or replace table busiest_seconds as
select
    symbol,
    arg_max(ts_event, volume) as busiest_second,
    max(volume) as shares,
    count(*) as seconds_traded
from bars
group by symbol
order by symbol
"""


@dg.asset(deps=[SECONDS], group_name="mine", kinds={"duckdb"})
def busiest_seconds(context: dg.AssetExecutionContext, archive: ArchiveResource) -> None:
    """The second in which most shares of each symbol changed hands, of every stored month."""
    path = Path(archive.data_dir) / "mine" / "bars.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as database:
        mohlcv_dagster.duckdb_view(database, "bars", missing="skip", data_dir=archive.data_dir)
        database.execute(BUSIEST)
        rows = database.execute("select count(*) from busiest_seconds").fetchall()
    context.add_output_metadata({"dagster/row_count": rows[0][0], "dagster/uri": str(path)})
