"""In Polars, over the whole archive at once: the CSV files are scanned where they stand, month by month in parallel."""

from pathlib import Path

import dagster as dg
import polars as pl

from mohlcv_dagster.defs.resources import ArchiveResource

MINUTES = dg.AssetKey(["aggregated", "1min"])
TYPES = {"ts_event": pl.String} | dict.fromkeys(["open", "high", "low", "close", "volume"], pl.Float64)


def month(file: Path) -> pl.LazyFrame:
    """A file by its own header, no type guessed: one may be the header alone, or have its columns in another order."""
    scanned = pl.scan_csv(file, schema_overrides=TYPES).select(*TYPES)
    return scanned.with_columns(symbol=pl.lit(file.name.split("_")[0]))


@dg.asset(deps=[MINUTES], group_name="mine", kinds={"polars", "parquet"})
def daily_bars(context: dg.AssetExecutionContext, archive: ArchiveResource) -> None:
    """A bar a symbol and trading day, all hours, of every stored month; days are Eastern."""
    moment = pl.col("ts_event").str.to_datetime("%Y-%m-%d %H:%M:%S%:z", time_zone="UTC")
    files = sorted(Path(archive.data_dir).glob("aggregated/1min/*.csv"))
    bars = (
        pl.concat([month(file) for file in files])
        .with_columns(day=moment.dt.convert_time_zone("America/New_York").dt.date())
        .group_by("symbol", "day", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .sort("symbol", "day")
        .collect()
    )
    path = Path(archive.data_dir) / "mine" / "daily_bars.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(path)
    context.add_output_metadata({"dagster/row_count": len(bars), "dagster/uri": str(path)})
