import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mohlcv_dagster.bars import csv_codec, parquet_codec
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.errors import FileError, VolumePrecisionError

WHOLE = b"""ts_event,open,high,low,close,volume
2024-01-02 09:30:00+00:00,475.32,475.45,475.28,475.4,15234
2024-01-02 09:30:07+00:00,475.4,475.4,475.4,475.4,1
"""
FRACTIONAL = WHOLE.replace(b",1\n", b",0.000001\n")


@pytest.mark.parametrize("content", [WHOLE, FRACTIONAL])
def test_the_mirror_has_the_bars_of_the_csv_in_the_same_types_whatever_its_volumes_are(content):
    read = pq.read_table(io.BytesIO(parquet_codec.encode(csv_codec.decode(content), "ab" * 32)))

    assert [str(field.type) for field in read.schema] == ["timestamp[us, tz=UTC]", *["double"] * 5]
    expected = csv_codec.decode(content).cast(pa.schema([(field.name, field.type) for field in read.schema]))
    assert read.to_pydict() == expected.to_pydict()


def test_the_mirror_is_compressed_sorted_and_has_statistics_and_the_digest_of_its_csv():
    content = parquet_codec.encode(csv_codec.decode(WHOLE), "ab" * 32)
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)

    assert [each.column_index for each in group.sorting_columns] == [0]
    assert {group.column(at).compression for at in range(6)} == {"ZSTD"}
    assert group.column(4).statistics.max == 475.4
    assert str(group.column(0).statistics.min) == "2024-01-02 09:30:00+00:00"
    assert parquet_codec.csv_digest(io.BytesIO(content)) == "ab" * 32


def test_a_volume_that_a_float_does_not_hold_is_refused_instead_of_rounded():
    huge = csv_codec.decode(WHOLE.replace(b"15234", str(2**53 + 1).encode()))

    with pytest.raises(VolumePrecisionError, match=r"2\^53"):
        parquet_codec.encode(huge, "")


def test_what_is_no_parquet_file_is_told():
    with pytest.raises(FileError, match="no Parquet file"):
        parquet_codec.csv_digest(io.BytesIO(b"PAR1 and no more"))


def test_the_keys_of_a_mirror_stand_in_its_path():
    file = BarFile.parse("aggregated/15s/BRK.B_2024_01_15s.csv")

    assert str(parquet_codec.path_of(file)) == (
        "parquet/timeframe=15s/symbol=BRK.B/month=2024-01/BRK.B_2024_01_15s.parquet"
    )
