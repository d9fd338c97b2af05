"""Numbers of trades and average prices: kept in the mirror, judged beside the vendor's minutes, never in the CSV."""

import hashlib
from io import BytesIO

import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest

from mohlcv_dagster.bars import bar_table, csv_codec, parquet_codec, trade_figures
from mohlcv_dagster.definitions import build
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.verify import DiscrepancyKind, verify
from mohlcv_dagster_tests.defs.impatient import KEY, ImpatientMassive
from mohlcv_dagster_tests.defs.location import (
    HandedVendor,
    evaluation_of,
    execute_checks_alone,
    location,
    materializations_of,
    rules_of,
    run,
)
from mohlcv_dagster_tests.defs.test_refresh import FEW, JANUARY, THURSDAY, WEDNESDAY, WHOLE
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.thinned import thinned

PARTITION = "2024-02|THIN"
RAW = BarFile.parse("raw_1s/THIN/THIN_2024_02.csv")
MIRROR = str(parquet_codec.path_of(RAW))
REFRESHED = "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"
SHORT = "22 of 2,772 minutes that agree count more volume and more trades on the vendor's side"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """Serves seconds of which some are lost, and the minutes of all."""
    folder = tmp_path_factory.mktemp("thin")
    made = thinned(reconciled_months.winter()).case
    for name, bars in (("second", made.seconds), ("minute", made.vendor)):
        (folder / name).mkdir()
        (folder / name / "THIN_2024_02.csv").write_bytes(csv_codec.encode(bars.table()))
    with Sandbox(ReplayedMarket(folder)) as sandbox:
        yield sandbox


def served(folder, sandbox, *, parquet):
    told = {"MASSIVE_BASE_URL": sandbox.url, "MOHLCV_DATA_DIR": str(folder), "MOHLCV_TIMEFRAMES": "1min"}
    massive = ImpatientMassive(base_url=sandbox.url, api_key=KEY, tries=2)
    settings = Settings.from_environment({**told, "MOHLCV_PARQUET": str(parquet).lower()})
    return build(settings, massive=massive)


def thin_seconds(result):
    return rules_of(evaluation_of(result, "aggregated/1min", "matches_vendor"))["thin_seconds"]


def mirror_faults(folder):
    """What `verify` says of mirrors; the month has five sessions, which its checks tell."""
    return [each for each in verify(Archive(folder)).differences if each.kind is DiscrepancyKind.MIRROR]


@pytest.fixture(scope="module")
def stored(tmp_path_factory, sandbox):
    """The month, fetched with a mirror: its folder, its definitions, a Dagster and the run."""
    folder = tmp_path_factory.mktemp("stored")
    definitions = served(folder, sandbox, parquet=True)
    with dg.DagsterInstance.ephemeral() as instance:
        yield folder, definitions, instance, run(definitions, instance, PARTITION, "raw_1s", "aggregated/1min")


def test_the_mirror_alone_has_the_figures_and_the_csv_is_the_same_byte_for_byte(stored):
    folder, *_ = stored
    seconds = thinned(reconciled_months.winter()).case.seconds
    assert (folder / str(RAW.path)).read_bytes() == csv_codec.encode(seconds.table())

    mirror = pq.read_table(BytesIO((folder / MIRROR).read_bytes()))
    assert mirror["trades"].to_pylist() == (1 + seconds.v // 175).tolist()
    middle = (seconds.o + seconds.h + seconds.l + seconds.c) / 4
    vwap, usual = np.array(mirror["vwap"]), seconds.t % 1009 != 0
    np.testing.assert_allclose(vwap[usual], middle[usual], atol=1e-4)
    assert mirror.num_rows == len(seconds.t)
    assert mirror_faults(folder) == []


def test_what_they_come_to_is_recorded_and_an_average_outside_its_bar_is_no_fault(stored):
    *_, result = stored
    seconds = thinned(reconciled_months.winter()).case.seconds
    [made] = materializations_of(result, "raw_1s")
    assert made.metadata["trades"].value == int((1 + seconds.v // 175).sum())
    assert made.metadata["bars_with_vwap_outside_range"].value == int((seconds.t % 1009 == 0).sum()) > 0
    assert evaluation_of(result, "raw_1s", "valid").passed


def test_the_run_that_fetches_compares_the_trades_with_a_mirror_and_without(stored, tmp_path, instance, sandbox):
    *_, result = stored
    without = run(served(tmp_path, sandbox, parquet=False), instance, PARTITION, "raw_1s", "aggregated/1min")
    assert not (tmp_path / "parquet").exists()
    for each in (result, without):
        found = thin_seconds(each)
        assert (found["result"], found["count"]) == ("warning", 22)
        assert found["what was found"].startswith(f"{SHORT}, 22 trades in all: ")


def other_version(content):
    return parquet_codec.encode(next(parquet_codec.decode(content)), "00" * 32)


def of_before(content):
    """As mirrors were before they had figures."""
    table = pq.read_table(BytesIO(content)).drop_columns(["trades", "vwap"])
    file = BytesIO()
    pq.write_table(
        table.replace_schema_metadata({parquet_codec.CSV_DIGEST: table.schema.metadata[b"mohlcv:csv_sha256"]}), file
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda _: None, "has no Parquet mirror, which would have them: see MOHLCV_PARQUET"),
        (other_version, "is of another version of it"),
        (of_before, "was written without them"),
        (lambda content: content[:-5] + b"xxxxx", "cannot be used: it is not a Parquet file"),
        (lambda content: content.replace(b"mohlcv:csv", b"mohlcv:CSV"), "cannot be used: its bytes do not match"),
    ],
)
def test_checked_again_the_trades_are_those_of_a_mirror_of_the_same_version_or_volumes_alone_are_judged(
    stored, edit, why
):
    folder, definitions, instance, _ = stored
    content = (folder / MIRROR).read_bytes()
    again = execute_checks_alone(definitions, instance, "aggregated/1min", PARTITION, "matches_vendor")
    assert thin_seconds(again)["what was found"].startswith(SHORT)
    edited = edit(content)
    try:
        (folder / MIRROR).unlink() if edited is None else (folder / MIRROR).write_bytes(edited)
        again = execute_checks_alone(definitions, instance, "aggregated/1min", PARTITION, "matches_vendor")
    finally:
        (folder / MIRROR).write_bytes(content)
    found = thin_seconds(again)
    assert found["result"] == "passed", found
    assert "2,772 minutes compared, by volume alone: " in found["what was found"]
    assert why in found["what was found"]


def test_a_mirror_from_before_there_were_figures_is_not_damaged_and_gives_its_bars(stored):
    folder, *_ = stored
    content = (folder / MIRROR).read_bytes()
    earlier = of_before(content)
    assert parquet_codec.decode_figures(earlier) is None
    assert parquet_codec.csv_digest(earlier) == hashlib.sha256((folder / str(RAW.path)).read_bytes()).hexdigest()
    assert next(parquet_codec.decode(earlier)).equals(next(parquet_codec.decode(content)))
    try:
        (folder / MIRROR).write_bytes(earlier)
        assert mirror_faults(folder) == []
    finally:
        (folder / MIRROR).write_bytes(content)


def counted(bars):
    """A trade for each share, and the close as the average."""
    volume, close = (bar_table.to_numpy(bars[name]) for name in ("volume", "close"))
    return trade_figures.of(volume.astype(float), close)


@pytest.mark.parametrize(
    ("before", "then", "trades"),
    [
        (counted, counted, [16, 16, 16, 17, 17, 17, 18, 18, 18]),
        (None, counted, [None, 16, 16, 17, 17, 17, 18, 18, 18]),
        (counted, None, [16, *[None] * 8]),
        (None, None, [None] * 9),
    ],
)
@pytest.mark.parametrize("mirror", [True, False])
def test_stored_bars_joined_with_new_ones_keep_the_figures_that_a_mirror_has(  # noqa: PLR0913, PLR0917 - two fetches
    tmp_path, instance, before, then, trades, mirror
):
    for figures, content, at, parquet in ((before, FEW, WEDNESDAY, mirror), (then, WHOLE, THURSDAY, True)):
        vendor = HandedVendor({("SPY", "2024-01"): content}, at)
        vendor.figures = figures
        run(location(tmp_path, vendor, parquet=parquet), instance, JANUARY, "raw_1s")

    assert vendor.since != [None]  # the first bar is from the stored file
    table = pq.read_table(tmp_path / REFRESHED, partitioning=None)
    first = trades[:1] if mirror else [None]
    assert table["trades"].to_pylist() == [*first, *trades[1:]]
    assert table["vwap"].to_pylist() == [None if each is None else 10.5 for each in (*first, *trades[1:])]
    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == WHOLE


def test_an_aggregates_mirror_has_the_same_columns_without_a_figure(stored):
    folder, *_ = stored
    path = parquet_codec.path_of(BarFile.parse("aggregated/1min/THIN_2024_02_1min.csv"))
    table = pq.read_table(folder / str(path), partitioning=None)
    assert table.column_names[-2:] == ["trades", "vwap"]
    assert table["trades"].null_count == table["vwap"].null_count == table.num_rows > 0
