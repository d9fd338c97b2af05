"""In DuckDB, with SQL over the whole archive: no import, the query reads the CSV files."""

from pathlib import Path

import dagster as dg
import duckdb

from mohlcv_dagster.defs.resources import ArchiveResource

SECONDS = dg.AssetKey("raw_1s")

BUSIEST = """
select
    parse_filename(filename).regexp_extract('^(.+)_\\d{4}_\\d{2}\\.csv$', 1) as symbol,
    arg_max(ts_event, volume) as busiest_second,
    max(volume) as shares,
    count(*) as seconds_traded
from read_csv(
    ?,
    filename = true,
    columns = {
        'ts_event': 'timestamptz', 'open': 'double', 'high': 'double', 'low': 'double', 'close': 'double',
        'volume': 'double'
    }
)
group by symbol
order by symbol
"""


@dg.asset(deps=[SECONDS], group_name="mine", kinds={"duckdb"})
def busiest_seconds(context: dg.AssetExecutionContext, archive: ArchiveResource) -> None:
    """The second in which most shares of each symbol changed hands, of every stored month."""
    path = Path(archive.data_dir) / "mine" / "bars.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as database:
        database.execute(
            f"create or replace table busiest_seconds as {BUSIEST}", [f"{archive.data_dir}/raw_1s/*/*.csv"]
        )
        rows = database.execute("select count(*) from busiest_seconds").fetchall()
    context.add_output_metadata({"dagster/row_count": rows[0][0], "dagster/uri": str(path)})
