import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars import quality, quality_table
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.quality import MonthQuality, Status

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
    return pq.read_table(BytesIO(quality_table.encode(quality_table.table(rows))))


def test_the_file_has_the_columns_of_the_contract_also_without_a_row():
    for rows in ((), (row("SPY", "2024-01"),)):
        schema = read_back(*rows).schema
        assert {field.name: field.type for field in schema} == SCHEMA
        assert schema.names == list(SCHEMA)


def test_what_was_not_recorded_is_null_and_what_was_is_there():
    full = row(
        "SPY",
        "2024-01",
        status=Status.FAILED,
        why="The vendor was away.",
        state="settled",
        rows=7,
        sessions_present=20,
        sessions_expected=21,
        occupancy=0.5,
        largest_gap_minutes=6,
        outside_hours=0,
        mismatches=3,
        revised=0,
        errors=1,
        warnings=2,
        judged=9,
        not_judged=1,
        failing=("raw_1s: ohlc_order",),
        stale=("aggregated/15s was resampled from an earlier raw_1s",),
        complete_through=MOMENT,
        fetched_at=MOMENT,
    )
    known, unknown = read_back(full, row("SPY", "2024-02")).to_pylist()

    assert known == {
        "symbol": "SPY",
        "month": "2024-01",
        "status": "failed",
        "why": "The vendor was away.",
        "worst": "error",
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
    never = {"status": "stored", "errors": 0, "warnings": 0, "judged": 0, "not_judged": 0, "failing": [], "stale": []}
    assert unknown == {**dict.fromkeys(SCHEMA), "symbol": "SPY", "month": "2024-02", **never}


def test_the_worst_is_told_of_what_was_judged_alone():
    assert row("SPY", "2024-01", errors=1, warnings=1, judged=2).worst == "error"
    assert row("SPY", "2024-01", warnings=1, judged=2).worst == "warn"
    assert row("SPY", "2024-01", judged=2).worst == "ok"
    assert row("SPY", "2024-01", not_judged=2).worst is None


def test_months_are_ordered_by_symbol_or_by_what_needs_a_look_first():
    fine, sparse = row("A", "2024-01", judged=1, occupancy=1.0), row("A", "2024-02", judged=1, occupancy=0.5)
    unjudged, stale = row("B", "2024-01"), row("B", "2024-02", judged=1, stale=("x",))
    warns, fails = row("C", "2024-01", judged=1, warnings=3), row("C", "2024-02", judged=1, errors=1)

    failed, missing = row("D", "2024-01", status=Status.FAILED), row("D", "2024-02", status=Status.MISSING)
    partly = row("D", "2024-03", judged=8, not_judged=1, occupancy=0.4)

    worst = [failed, fails, warns, missing, stale, partly, unjudged, sparse, fine]
    assert quality.worst_first(reversed(worst)) == worst
    assert quality.by_symbol(worst) == [fine, sparse, unjudged, stale, warns, fails, failed, missing, partly]


def test_the_page_on_quality_tells_every_column_with_its_meaning():
    page = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE)

    assert told == [(name, column.meaning) for name, column in quality.COLUMNS.items()]


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

        table = quality_table.table(some)

        table.validate(full=True)
        assert table.equals(expected)
        assert quality_table.encode(table) == quality_table.encode(expected)
