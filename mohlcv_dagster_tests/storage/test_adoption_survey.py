import pandas as pd
import pytest

from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import adoption_survey
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.storage.old_trees import EVENING, bars, put, sibling, text

RAW = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
FOLDED = BarFile.parse("aggregated/15s/SPY_2024_01_15s.csv")
JANUARY = bars("2024-01-02", count=9)
CLEAN = text(JANUARY)


def faults(content, file=RAW, *, raw_whole=None):
    return {
        str(each.fault): each.message
        for each in adoption_survey.examine(file, Reading.of(content), raw_whole=raw_whole)
    }


@pytest.mark.parametrize("content", [CLEAN, text(JANUARY.astype({"volume": float}) / 3 * 3 + 0.5), text(JANUARY[:0])])
def test_a_file_in_the_contracts_form_has_no_fault(content):
    assert faults(content) == {}


FAULTS = {
    "additional columns": (sibling(JANUARY, "SPY"), "rtype, publisher_id, instrument_id, symbol"),
    "order of columns": (text(JANUARY[["volume", "close", "open", "high", "low"]]), "ts_event, volume, close, open"),
    "CRLF line ends": (CLEAN.replace(b"\n", b"\r\n"), "as on Windows"),
    "half file": (CLEAN[:-1], "without a line end"),
    "unreadable": (b"\x01\xff\n", "not text"),
    "whole volumes as decimals": (text(JANUARY.astype({"volume": float})), "9 whole volumes are written as decimals"),
    "unsorted rows": (
        text(JANUARY.iloc[[0, 2, 1, *range(3, 9)]]),
        "1 of 9 rows are earlier than the row before, first 2024-01-02 14:30:04Z",
    ),
    "repeated rows": (
        text(JANUARY.iloc[[0, 1, 2, 2, *range(3, 9)]]),
        "1 of 10 rows repeat a ts_event, first 2024-01-02 14:30:21Z",
    ),
    "Eastern month": (
        text(pd.concat([JANUARY, EVENING])),
        "5 of 14 rows, 2024-02-01 00:10:00Z to 2024-02-01 00:30:04Z",
    ),
    "rows of other months": (text(bars("2023-12-29", "2024-01-02", count=3)), "3 of 6 rows"),
    "form": (CLEAN.replace(b",475.0,", b",475.00,"), "line 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_the_one_that_is_named(fault):
    content, told = FAULTS[fault]

    found = faults(content)

    assert found.keys() == {fault}
    assert told in found[fault]


@pytest.mark.parametrize("lines", [[4], [3, 5]])
def test_rows_without_a_time_are_neither_unsorted_nor_repeated(lines):
    """A rule says that their time is missing."""
    content = [row[25:] if at in lines else row for at, row in enumerate(CLEAN.splitlines(keepends=True))]

    assert faults(b"".join(content)) == {}


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_that_is_absent_or_empty_is_unreadable_and_not_half(content):
    assert faults(content).keys() == {"unreadable"}


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("2024-01-01 00:00:00", "2024-01-31 23:59:59", set()),
        ("2023-12-31 23:59:59", "2024-01-31 23:59:59", {"rows of other months"}),
        ("2024-01-01 00:00:00", "2024-02-01 00:00:00", {"Eastern month"}),
        ("2024-01-01 00:00:00", "2024-02-01 23:59:59", {"Eastern month"}),
        ("2024-01-01 00:00:00", "2024-02-02 00:00:00", {"rows of other months"}),
    ],
)
def test_a_month_reaches_from_its_first_second_to_its_last_and_an_eastern_one_a_day_further(first, last, found):
    edges = pd.DatetimeIndex([first, last], tz="UTC", name="ts_event")

    assert faults(text(JANUARY.iloc[:2].set_index(edges))).keys() == found


def test_a_file_cut_in_a_row_is_half_and_one_cut_in_a_column_that_is_not_ours_too():
    assert faults(CLEAN[:-25]).keys() == {"half file"}
    assert "half file" in faults(sibling(JANUARY, "SPY")[:-2])


def test_several_faults_are_all_named():
    content = sibling(pd.concat([JANUARY.iloc[:3], JANUARY, EVENING]).astype({"volume": float}), "SPY")

    assert faults(content.replace(b"\n", b"\r\n")).keys() == {
        "additional columns",
        "CRLF line ends",
        "whole volumes as decimals",
        "unsorted rows",
        "repeated rows",
        "Eastern month",
    }


@pytest.mark.parametrize(
    ("whole", "raw_whole", "found"),
    [
        (True, True, {}),
        (False, False, {}),
        (False, None, {}),
        (False, True, {"whole volumes as decimals": "1 whole volumes are written as decimals"}),
        (
            True,
            False,
            {
                "whole volumes as decimals": (
                    "1 whole volumes are written as integers, those of its raw file as decimals"
                )
            },
        ),
    ],
)
def test_the_type_of_an_aggregates_volume_is_that_of_its_raw_file(whole, raw_whole, found):
    minutes = bars("2024-01-02", count=1).astype({"volume": int if whole else float})

    assert faults(text(minutes), FOLDED, raw_whole=raw_whole) == found


def test_names_that_are_not_the_layouts_are_told_with_where_they_may_belong(tmp_path):
    there = (
        "raw_1s/SPY/SPY_2024_01.csv",
        "raw_1s/spy_2024_01.csv",
        "raw_1s/QQQ-202402.csv",
        "aggregated/QQQ_2024_02_15s.csv",
        "notes.csv",
        "raw_1s/SPY_2024_13.csv",
        "manifest/x.csv",
    )
    for path in there:
        put(tmp_path, path, CLEAN)
    found = adoption_survey.survey(Archive(tmp_path))

    assert found.files == [RAW]
    told = {each.path: each.message.partition("reads it: ")[2] for each in found.misnamed}
    assert told == {
        "raw_1s/spy_2024_01.csv": "it looks like raw_1s/SPY/SPY_2024_01.csv, which exists too: keep one of them",
        "raw_1s/QQQ-202402.csv": "if it is raw_1s/QQQ/QQQ_2024_02.csv, move it there and run this again",
        "aggregated/QQQ_2024_02_15s.csv": (
            "if it is aggregated/15s/QQQ_2024_02_15s.csv, move it there and run this again"
        ),
        "notes.csv": "move or rename it",
        "raw_1s/SPY_2024_13.csv": "move or rename it",
    }
    assert adoption_survey.survey(Archive(tmp_path), frozenset({"QQQ"})).files == []


def test_files_are_listed_raw_ones_first_then_by_symbol_and_month(tmp_path):
    paths = [
        "raw_1s/QQQ/QQQ_2024_02.csv",
        "raw_1s/SPY/SPY_2024_01.csv",
        "raw_1s/SPY/SPY_2024_02.csv",
        "aggregated/15s/QQQ_2024_01_15s.csv",
        "aggregated/1min/AAPL_2024_01_1min.csv",
    ]
    for path in paths:
        put(tmp_path, path, CLEAN)

    assert [str(file.path) for file in adoption_survey.survey(Archive(tmp_path)).files] == paths


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="MOHLCV_DATA_DIR"):
        adoption_survey.survey(Archive(tmp_path / "absent"))
