"""The mirror of a CSV file, and the table of quality."""

from datetime import UTC, datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mohlcv_dagster.bars import csv_codec, parquet_codec
from mohlcv_dagster.errors import FileError, VolumePrecisionError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus

WHOLE = b"""ts_event,open,high,low,close,volume
2024-01-02 09:30:00+00:00,475.32,475.45,475.28,475.4,15234
2024-01-02 09:30:07+00:00,475.4,475.4,475.4,475.4,1
"""
FRACTIONAL = WHOLE.replace(b",1\n", b",0.000001\n")


@pytest.mark.parametrize("content", [WHOLE, FRACTIONAL])
def test_the_mirror_has_the_bars_of_the_csv_in_the_same_types_whatever_its_volumes_are(content):
    read = pq.read_table(BytesIO(parquet_codec.encode(csv_codec.decode(content), "ab" * 32)))

    assert [str(field.type) for field in read.schema] == ["timestamp[us, tz=UTC]", *["double"] * 5, "int64", "double"]
    bars = read.drop_columns(["trades", "vwap"])
    expected = csv_codec.decode(content).cast(pa.schema([(field.name, field.type) for field in bars.schema]))
    assert bars.to_pydict() == expected.to_pydict()
    assert read.select(["trades", "vwap"]).to_pydict() == {"trades": [None, None], "vwap": [None, None]}


def test_the_mirror_is_compressed_sorted_and_has_statistics_and_the_digest_of_its_csv():
    content = parquet_codec.encode(csv_codec.decode(WHOLE), "ab" * 32)
    group = pq.ParquetFile(BytesIO(content)).metadata.row_group(0)

    assert [each.column_index for each in group.sorting_columns] == [0]
    assert {group.column(at).compression for at in range(6)} == {"ZSTD"}
    assert group.column(4).statistics.max == 475.4
    assert str(group.column(0).statistics.min) == "2024-01-02 09:30:00+00:00"
    assert parquet_codec.csv_digest(content) == "ab" * 32


def test_a_volume_that_a_float_does_not_hold_is_refused_instead_of_rounded():
    huge = csv_codec.decode(WHOLE.replace(b"15234", str(2**53 + 1).encode()))

    with pytest.raises(VolumePrecisionError, match=r"2\^53"):
        parquet_codec.encode(huge, "")


def test_what_is_no_parquet_file_is_told():
    with pytest.raises(FileError, match="not a Parquet file"):
        parquet_codec.csv_digest(b"PAR1 and no more")


def test_a_mirror_without_its_checksum_is_that_of_an_earlier_version_only_without_other_metadata(monkeypatch):
    add = pq.ParquetWriter.add_key_value_metadata
    monkeypatch.setattr(pq.ParquetWriter, "add_key_value_metadata", lambda self, _: add(self, {"mohlcv:sha257": "-"}))
    content = parquet_codec.encode(csv_codec.decode(WHOLE), "ab" * 32)

    with pytest.raises(FileError, match=r"^it has no checksum, and unknown metadata$"):
        parquet_codec.csv_digest(content)


def test_a_mirror_whose_bytes_changed_is_told():
    content = parquet_codec.encode(csv_codec.decode(WHOLE), "ab" * 32).replace(b"ab" * 32, b"cd" * 32)

    with pytest.raises(FileError, match=r"^its bytes do not match its checksum: they changed after it was written$"):
        parquet_codec.csv_digest(content)


def test_the_keys_of_a_mirror_stand_in_its_path():
    file = BarFile.parse("aggregated/15s/BRK.B_2024_01_15s.csv")

    assert str(parquet_codec.path_of(file)) == (
        "parquet/timeframe=15s/symbol=BRK.B/month=2024-01/BRK.B_2024_01_15s.parquet"
    )


MOMENT = datetime(2024, 2, 1, 16, 0, tzinfo=UTC)
TEXT, COUNT = pa.string(), pa.int64()
SCHEMA = {
    "symbol": TEXT,
    "month": TEXT,
    "status": TEXT,
    "why": TEXT,
    "worst": TEXT,
    "state": TEXT,
    "rows": COUNT,
    "sessions_present": COUNT,
    "sessions_expected": COUNT,
    "occupancy": pa.float64(),
    "largest_gap_minutes": COUNT,
    "outside_hours": COUNT,
    "mismatches": COUNT,
    "revised": COUNT,
    "errors": COUNT,
    "warnings": COUNT,
    "judged": COUNT,
    "not_judged": COUNT,
    "failing": pa.list_(TEXT),
    "stale": pa.list_(TEXT),
    "complete_through": pa.timestamp("ms", tz="UTC"),
    "fetched_at": pa.timestamp("ms", tz="UTC"),
}


def row(symbol, month, **facts):
    return MonthQuality(symbol=symbol, month=Month.parse(month), **facts)


def read_back(*rows):
    return pq.read_table(BytesIO(parquet_codec.encode_quality(parquet_codec.quality_table(rows))))


def test_the_file_has_the_columns_of_the_contract_also_without_a_row():
    for rows in ((), (row("SPY", "2024-01"),)):
        schema = read_back(*rows).schema
        assert {field.name: field.type for field in schema} == SCHEMA
        assert schema.names == list(SCHEMA)


def test_what_was_not_recorded_is_null_and_what_was_is_there():
    facts = {
        "status": MonthStatus.FAILED,
        "why": "The vendor was away.",
        "state": "settled",
        "rows": 7,
        "sessions_present": 20,
        "sessions_expected": 21,
        "occupancy": 0.5,
        "largest_gap_minutes": 6,
        "outside_hours": 0,
        "mismatches": 3,
        "revised": 0,
        "errors": 1,
        "warnings": 2,
        "judged": 9,
        "not_judged": 1,
        "failing": ["raw_1s: ohlc_order"],
        "stale": ["aggregated/15s was resampled from an earlier raw_1s"],
        "complete_through": MOMENT,
        "fetched_at": MOMENT,
    }
    known, unknown = read_back(row("SPY", "2024-01", **facts), row("SPY", "2024-02")).to_pylist()

    assert known == {"symbol": "SPY", "month": "2024-01", **facts, "status": "failed", "worst": "error"}
    never = {"status": "stored", "errors": 0, "warnings": 0, "judged": 0, "not_judged": 0, "failing": [], "stale": []}
    assert unknown == {**dict.fromkeys(SCHEMA), "symbol": "SPY", "month": "2024-02", **never}


def test_the_columns_are_those_that_arrow_makes_of_the_values():
    texts = (("raw_1s: ohlc_order", "é"), (), ("raw_1s: settled",))
    many = [
        row(
            symbol,
            "2024-01",
            why=None if at % 2 else "é",
            rows=None if at % 3 else at,
            occupancy=None if at % 2 else at / 7,
            failing=texts[at % 3],
            fetched_at=None if at % 2 else MOMENT.replace(microsecond=999_999 - at),
            complete_through=MOMENT,
        )
        for at, symbol in enumerate(["SPY", "BRK.B", "QQQ", "BACpB"] * 5)
    ]
    for some in (many, many[:1], []):
        values = {name: [getattr(each, name) for each in some] for name in SCHEMA}
        values["month"] = [str(month) for month in values["month"]]
        expected = pa.Table.from_arrays([pa.array(values[name], kind) for name, kind in SCHEMA.items()], list(SCHEMA))

        table = parquet_codec.quality_table(some)

        table.validate(full=True)
        assert table.equals(expected)
        assert parquet_codec.encode_quality(table) == parquet_codec.encode_quality(expected)
