import hashlib
import io
import json
import os

import dagster as dg
import fsspec
import pandas as pd
import pyarrow as pa
import pytest

from mohlcv_dagster.definitions import defs as real_location
from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
from mohlcv_dagster.defs.partitions import months_by_symbol, symbols
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, HEADER, WHOLE, WHOLE_15S
from mohlcv_dagster_tests.defs.location import location, run

PARTITIONS = months_by_symbol(Settings.from_environment({}).start)
OTHER = HEADER + b"2024-02-01 14:30:00+00:00,10.0,11.0,9.0,10.5,7\n"
MONTHS = {
    ("SPY", "2024-01"): WHOLE,
    ("SPY", "2024-02"): OTHER,
    ("SPY", "2026-03"): FRACTIONAL,
    ("BRK.B", "2024-01"): WHOLE,
}


def seen_by(asset_of, tmp_path, instance, *partitions):
    """What a user's asset, made by `asset_of(seen)`, got when the partitions of raw_1s it looks at were stored."""
    seen = []
    asset = asset_of(seen)
    definitions = location(tmp_path, MONTHS, extra=[asset])
    for partition in partitions:
        run(definitions, instance, partition, "raw_1s")
    of_partition = partitions[-1] if asset.partitions_def == PARTITIONS else None
    if isinstance(asset.partitions_def, dg.DynamicPartitionsDefinition):
        of_partition = partitions[-1].partition("|")[2]
    run(definitions, instance, of_partition, "mine")
    return seen[0]


def test_an_asset_that_asks_for_a_table_gets_the_bars_as_the_file_has_them(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(partitions_def=PARTITIONS)
        def mine(raw_1s: pa.Table) -> None:
            seen.append(raw_1s)

        return mine

    table = seen_by(asset_of, tmp_path, instance, "2024-01|SPY")

    assert table.column_names == ["ts_event", "open", "high", "low", "close", "volume"]
    assert table["volume"].to_pylist() == [15234, 100, 300, 250, 50, 720]
    assert table["volume"].type == pa.int64()


def test_an_asset_that_asks_for_nothing_in_particular_gets_a_table(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(partitions_def=PARTITIONS)
        def mine(raw_1s) -> None:
            seen.append(raw_1s)

        return mine

    assert isinstance(seen_by(asset_of, tmp_path, instance, "2024-01|SPY"), pa.Table)


def test_an_asset_that_asks_for_a_frame_gets_what_pandas_reads_from_the_file(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(partitions_def=PARTITIONS)
        def mine(raw_1s: pd.DataFrame) -> None:
            seen.append(raw_1s)

        return mine

    frame = seen_by(asset_of, tmp_path, instance, "2024-01|SPY")

    stored = pd.read_csv(tmp_path / "raw_1s/SPY/SPY_2024_01.csv", index_col="ts_event", parse_dates=True)
    pd.testing.assert_frame_equal(frame, stored, check_index_type=False, check_freq=False)


@pytest.mark.filterwarnings("ignore:Class `MultiToSingleDimensionPartitionMapping` is currently in beta")
def test_an_asset_over_several_months_gets_them_one_after_the_other(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(
            partitions_def=symbols,
            ins={
                "raw_1s": dg.AssetIn(
                    partition_mapping=dg.MultiToSingleDimensionPartitionMapping("symbol"),
                    metadata={"allow_missing_partitions": True},
                )
            },
        )
        def mine(raw_1s: pd.DataFrame) -> None:
            seen.append(raw_1s)

        return mine

    frame = seen_by(asset_of, tmp_path, instance, "2024-02|SPY", "2024-01|BRK.B", "2024-01|SPY")

    assert list(frame.index) == [*pd.read_csv(_text(WHOLE), index_col=0, parse_dates=True).index, _moment(OTHER)]
    assert "symbol" not in frame.columns


def test_an_asset_over_several_months_can_have_them_by_partition(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(ins={"raw_1s": dg.AssetIn(metadata={"allow_missing_partitions": True})})
        def mine(raw_1s: dict[str, pd.DataFrame]) -> None:
            seen.append(raw_1s)

        return mine

    frames = seen_by(asset_of, tmp_path, instance, "2024-02|SPY", "2024-01|BRK.B", "2024-01|SPY")

    assert {key: len(frame) for key, frame in frames.items()} == {
        "2024-01|BRK.B": 6,
        "2024-01|SPY": 6,
        "2024-02|SPY": 1,
    }


def test_a_dict_of_nothing_in_particular_holds_tables(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(ins={"raw_1s": dg.AssetIn(metadata={"allow_missing_partitions": True})})
        def mine(raw_1s: dict) -> None:
            seen.append(raw_1s)

        return mine

    tables = seen_by(asset_of, tmp_path, instance, "2024-02|SPY", "2024-01|SPY")

    assert {key: table.num_rows for key, table in tables.items()} == {"2024-01|SPY": 6, "2024-02|SPY": 1}
    assert all(isinstance(table, pa.Table) for table in tables.values())


def test_several_symbols_in_one_table_are_told_apart_by_a_column(tmp_path, instance):
    def asset_of(seen):
        @dg.asset(ins={"raw_1s": dg.AssetIn(metadata={"allow_missing_partitions": True})})
        def mine(raw_1s: pa.Table) -> None:
            seen.append(raw_1s)

        return mine

    table = seen_by(asset_of, tmp_path, instance, "2026-03|SPY", "2024-01|BRK.B")

    assert table["symbol"].to_pylist() == ["BRK.B"] * 6 + ["SPY"] * 4
    assert table["volume"].to_pylist()[-1] == 9099.618093


def test_a_partition_that_is_not_stored_is_named_with_its_cure(tmp_path, instance):
    @dg.asset(partitions_def=PARTITIONS)
    def mine(raw_1s: pa.Table) -> None: ...

    definitions = location(tmp_path, MONTHS, extra=[mine])
    result = run(definitions, instance, "2024-01|SPY", "mine", expect=False)

    failure = result.failure_data_for_node("mine")
    assert "SPY 2024-01 1s is not stored; materialize partition 2024-01|SPY first" in str(failure)


def test_a_file_that_cannot_be_read_is_named_with_what_is_the_matter(tmp_path, instance):
    @dg.asset(partitions_def=PARTITIONS)
    def mine(raw_1s: pa.Table) -> None: ...

    definitions = location(tmp_path, MONTHS, extra=[mine])
    run(definitions, instance, "2024-01|SPY", "raw_1s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(WHOLE[:-10] + b",,,,\n")
    result = run(definitions, instance, "2024-01|SPY", "mine", expect=False)

    failure = str(result.failure_data_for_node("mine"))
    assert "raw_1s/SPY/SPY_2024_01.csv" in failure
    assert "line 7" in failure


def test_a_frame_is_written_as_a_table_is(tmp_path, instance):
    frame = framed(WHOLE)

    @dg.asset(key=["aggregated", "45s"], partitions_def=PARTITIONS, io_manager_key="bars_csv")
    def mine() -> pd.DataFrame:
        return frame

    run(location(tmp_path, MONTHS, extra=[mine]), instance, "2024-01|SPY", "aggregated/45s")

    assert (tmp_path / "aggregated/45s/SPY_2024_01_45s.csv").read_bytes() == frame.to_csv().encode()


def test_what_is_neither_table_nor_frame_is_refused_and_nothing_is_written(tmp_path, instance):
    @dg.asset(key=["aggregated", "45s"], partitions_def=PARTITIONS, io_manager_key="bars_csv")
    def mine():
        return [1, 2, 3]

    result = run(location(tmp_path, MONTHS, extra=[mine]), instance, "2024-01|SPY", "aggregated/45s", expect=False)

    assert said(result, mine) == "bars are a pyarrow.Table or a pandas.DataFrame, was list"
    assert not [at for at in tmp_path.rglob("*") if at.is_file()]


def by_partition(give):
    """A user's asset whose step makes all partitions of its run, and gives what `give` says of their names."""

    @dg.asset(key=["aggregated", "45s"], partitions_def=PARTITIONS, io_manager_key="bars_csv")
    def mine(context: dg.AssetExecutionContext) -> object:
        return give(list(context.partition_keys))

    return mine


def test_a_step_over_several_partitions_gives_the_bars_of_each_by_its_name(tmp_path, instance):
    frames = {f"2024-0{month}|SPY": framed(content) for month, content in ((1, WHOLE), (2, OTHER))}
    mine = by_partition(lambda partitions: {name: frames[name] for name in partitions})

    run(location(tmp_path, MONTHS, extra=[mine]), instance, "2024-01|SPY", "aggregated/45s", until="2024-02|SPY")

    assert (tmp_path / "aggregated/45s/SPY_2024_01_45s.csv").read_bytes() == WHOLE
    assert (tmp_path / "aggregated/45s/SPY_2024_02_45s.csv").read_bytes() == OTHER
    assert instance.get_materialized_partitions(dg.AssetKey(["aggregated", "45s"])) == set(frames)


@pytest.mark.parametrize(
    ("give", "told"),
    [
        (
            lambda partitions: framed(WHOLE),
            "the run is over 2 partitions and the step gave a DataFrame; give a dict of bars by partition key, or set",
        ),
        (
            lambda partitions: {partitions[0]: framed(WHOLE)},
            "the run is over ['2024-01|SPY', '2024-02|SPY'] and the step gave bars of ['2024-01|SPY']",
        ),
        (
            lambda partitions: dict.fromkeys([*partitions, "2024-03|SPY"], framed(WHOLE)),
            "and the step gave bars of ['2024-01|SPY', '2024-02|SPY', '2024-03|SPY']",
        ),
    ],
    ids=["one frame for all", "one is missing", "one too many"],
)
def test_bars_of_which_it_is_not_said_whose_they_are_are_refused_and_nothing_is_written(tmp_path, instance, give, told):
    mine = by_partition(give)
    definitions = location(tmp_path, MONTHS, extra=[mine])
    result = run(definitions, instance, "2024-01|SPY", "aggregated/45s", until="2024-02|SPY", expect=False)

    assert told in said(result, mine)
    assert not [at for at in tmp_path.rglob("*") if at.is_file()]


def test_a_step_over_one_partition_may_give_its_bars_by_name_too(tmp_path, instance):
    mine = by_partition(lambda partitions: {"2024-01|SPY": framed(WHOLE)})
    run(location(tmp_path, MONTHS, extra=[mine]), instance, "2024-01|SPY", "aggregated/45s")

    assert (tmp_path / "aggregated/45s/SPY_2024_01_45s.csv").read_bytes() == WHOLE


def test_what_a_users_own_asset_gives_is_recorded_and_has_a_manifest_entry(tmp_path, instance):
    mine = by_partition(lambda partitions: framed(WHOLE))
    result = run(location(tmp_path, MONTHS, extra=[mine]), instance, "2024-01|SPY", "aggregated/45s")

    [made] = result.get_asset_materialization_events()
    entry = json.loads((tmp_path / "manifest/aggregated/45s/SPY_2024_01_45s.csv.json").read_text())
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert (made.materialization.metadata["sha256"].value, entry["sha256"]) == (digest, digest)
    assert (entry["rows"], entry["vendor"]) == (6, None)


@pytest.mark.parametrize("until", [None, "2024-02|SPY"])
def test_the_io_manager_writes_every_file_of_a_run_whatever_the_kind(tmp_path, instance, monkeypatch, until):
    written, write = [], BarsCsvIOManager.write

    def told(self, file, *given):
        written.append(str(file.path))
        return write(self, file, *given)

    monkeypatch.setattr(BarsCsvIOManager, "write", told)
    run(location(tmp_path, MONTHS), instance, "2024-01|SPY", "raw_1s", "aggregated/15s", until=until)

    assert sorted(written) == sorted(str(at.relative_to(tmp_path)) for at in tmp_path.rglob("*.csv"))
    assert len(written) == (4 if until else 2)


def test_an_archive_under_an_fsspec_url_holds_the_same_bytes(tmp_path, instance):
    data_dir = f"memory://io-manager-{os.getpid()}"
    run(location(data_dir, MONTHS), instance, "2024-01|SPY", "raw_1s", "aggregated/15s")

    memory = fsspec.filesystem("memory")
    root = f"/io-manager-{os.getpid()}"
    assert memory.cat(f"{root}/raw_1s/SPY/SPY_2024_01.csv") == WHOLE
    assert memory.cat(f"{root}/aggregated/15s/SPY_2024_01_15s.csv") == WHOLE_15S
    assert not list(tmp_path.iterdir())


def test_the_real_location_uses_the_same_io_manager_for_every_asset_of_bars():
    every = real_location.resolve_asset_graph().assets_defs
    of_bars = {key: asset for asset in every if asset.partitions_def for key in asset.keys}

    assert {key.to_user_string() for key in of_bars} == {
        "raw_1s",
        "aggregated/15s",
        "aggregated/30s",
        "aggregated/1min",
    }
    for key, asset in of_bars.items():
        assert asset.get_io_manager_key_for_asset_key(key) == "bars_csv"


def said(result, asset):
    """Why the step of a user's asset failed."""
    failure = result.failure_data_for_node(asset.op.name)
    return failure.user_failure_data.description


def framed(content):
    return pd.read_csv(_text(content), index_col="ts_event", parse_dates=True)


def _text(content):
    return io.BytesIO(content)


def _moment(content):
    return pd.read_csv(_text(content), index_col=0, parse_dates=True).index[0]
