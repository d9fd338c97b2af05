from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.errors import CannotRepairError, InputError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import repair
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster.storage.repair import RewriteJournal, Rewriter
from mohlcv_dagster_tests.storage.old_trees import EVENING, bars, put, resampled, sibling, text

JANUARY, FEBRUARY = (BarFile.parse(f"raw_1s/SPY/SPY_2024_0{month}.csv") for month in (1, 2))
MINUTES = BarFile.parse("aggregated/1min/SPY_2024_01_1min.csv")
OWN, NEXT = bars("2024-01-02", count=9), bars("2024-02-05", count=9)


def rewritten(folder, *files, dry_run=False, closed=lambda file: None):
    archive = Archive(folder)
    rewriter = Rewriter(archive, None if dry_run else RewriteJournal(archive), closed)
    return {str(each.file.month): (each.done, each.message) for each in rewriter.rewrite(files or (JANUARY, FEBRUARY))}


def contents(folder):
    return {at.name: at.read_bytes() for at in (folder / "raw_1s/SPY").iterdir() if at.suffix == ".csv"}


@given(st.lists(st.integers(0, 8), max_size=12), st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_whatever_the_order_repetitions_columns_and_line_ends_the_same_bars_come_out(again, shuffled, wide, windows):
    rows = [*range(9), *again]
    shuffled.shuffle(rows)
    frame = OWN.iloc[rows].astype({"volume": float})
    content = sibling(frame, "SPY") if wide else text(frame)
    content = content.replace(b"\n", b"\r\n") if windows else content

    mended = repair.mend(JANUARY, Reading.of(content), raw_whole=None)

    assert csv_codec.encode(mended.bars) == text(OWN)
    assert mended.later.num_rows == 0


def test_what_was_done_to_a_file_is_told_in_order():
    content = text(OWN.iloc[[0, 0, 2, 1, 1, *range(3, 9)]].astype({"volume": float})).replace(b"\n", b"\r\n")

    assert repair.mend(JANUARY, Reading.of(content), raw_whole=None).done == (
        "line ends made \\n",
        "volume typed as the contract requires",
        "rows sorted",
        "2 rows dropped that repeat another exactly",
    )


def test_rows_of_the_next_month_are_put_into_its_file_and_then_taken_out(tmp_path):
    put(tmp_path, JANUARY.path, text(pd.concat([OWN, EVENING])))
    put(tmp_path, FEBRUARY.path, sibling(NEXT, "SPY"))

    told = rewritten(tmp_path)

    assert all(done for done, _ in told.values())
    assert contents(tmp_path) == {
        "SPY_2024_01.csv": text(OWN),
        "SPY_2024_02.csv": text(pd.concat([EVENING, NEXT])),
    }
    assert rewritten(tmp_path) == {}


def test_rows_that_are_there_already_are_only_taken_out(tmp_path):
    put(tmp_path, JANUARY.path, text(pd.concat([OWN, EVENING])))
    february = text(pd.concat([EVENING, NEXT]))
    put(tmp_path, FEBRUARY.path, february)

    told = rewritten(tmp_path, closed=lambda file: "came whole from Massive.com")

    assert told.keys() == {"2024-01"}
    assert contents(tmp_path) == {"SPY_2024_01.csv": text(OWN), "SPY_2024_02.csv": february}


REFUSED = {
    "a next month that is not there": (
        None,
        None,
        (
            "5 rows of 2024-02 belong into raw_1s/SPY/SPY_2024_02.csv, which does not exist, and would not make a "
            "month: fetch SPY 2024-02, then run this again"
        ),
    ),
    "a bar that contradicts": (
        text(pd.concat([EVENING.assign(volume=range(7, 12)), NEXT])),
        None,
        "two bars at 2024-02-01 00:10:00Z that contradict each other: volume 7.0 and 100.0",
    ),
    "a next month that came whole from a vendor": (
        text(NEXT),
        "came whole from Massive.com",
        "which came whole from Massive.com",
    ),
    "a next month that is half": (text(NEXT)[:-20], None, "which must be mended first"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_move_that_would_lose_or_choose_is_refused_and_both_files_stay(tmp_path, case):
    february, why_closed, told = REFUSED[case]
    put(tmp_path, JANUARY.path, text(pd.concat([OWN, EVENING])))
    if february is not None:
        put(tmp_path, FEBRUARY.path, february)
    before = contents(tmp_path)

    said = rewritten(
        tmp_path,
        *(file for file in (JANUARY, FEBRUARY) if (tmp_path / file.path).exists()),
        closed=lambda file: why_closed,
    )

    done, why = said["2024-01"]
    assert not done
    assert told in why
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (text(OWN)[:-1], "its last row may be cut short; fetch SPY 2024-01 again"),
        (text(OWN)[:-30], "the file was cut off"),
        (text(bars("2023-12-29", "2024-01-02", count=3)), "are outside of 2024-01"),
        (text(pd.concat([OWN, OWN.iloc[[4]].assign(close=1.0)])), "contradict each other: close"),
        (text(OWN).replace(b",475.05,", b",,", 1), "missing or infinite"),
        (text(OWN).replace(b",100\n", b",18446744073709551615\n", 1), "volume '18446744073709551615' is a number that"),
        (text(OWN).replace(b",475.05,", b",9223372036.854775807,", 1), "high '9223372036.854775807' is a number that"),
        (text(OWN).replace(b",475.05,", b",475.0500000000000001,", 1), "a float does not hold"),
    ],
)
def test_what_cannot_be_mended_without_loss_is_refused_with_the_reason(content, told):
    with pytest.raises(CannotRepairError, match=told):
        repair.mend(JANUARY, Reading.of(content), raw_whole=None)


@pytest.mark.parametrize("written", ["T14:30:00.000000000Z", " 14:30:00.000+00:00", "T14:30:00Z"])
def test_a_time_with_a_fraction_of_zeros_is_written_in_the_exact_form(tmp_path, written):
    put(tmp_path, JANUARY.path, text(OWN).replace(b" 14:30:00+00:00", written.encode()))

    rewritten(tmp_path)

    assert contents(tmp_path) == {"SPY_2024_01.csv": text(OWN)}


@pytest.mark.parametrize("written", [b",475.050,", b",4.7505e2,", b",+475.05,", b",475.05000000000000000000,"])
def test_another_spelling_of_the_same_decimal_is_written_in_the_exact_form(written):
    mended = repair.mend(JANUARY, Reading.of(text(OWN).replace(b",475.05,", written, 1)), raw_whole=None)

    assert csv_codec.encode(mended.bars) == text(OWN)


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path):
    put(tmp_path, JANUARY.path, text(pd.concat([OWN, EVENING])))
    put(tmp_path, FEBRUARY.path, text(NEXT.astype({"volume": float})))
    before = contents(tmp_path)

    told = rewritten(tmp_path, dry_run=True)

    assert contents(tmp_path) == before
    assert [at.name for at in tmp_path.iterdir()] == ["raw_1s"]
    assert told == rewritten(tmp_path)


def test_the_journal_has_what_was_about_to_be_written_and_passes_over_a_line_that_was_cut(tmp_path):
    journal = RewriteJournal(Archive(tmp_path))
    assert journal.read() == {}
    journal.note(JANUARY, "ab" * 32)
    journal.note(FEBRUARY, "cd" * 32)
    journal.note(MINUTES, "ef" * 32)
    at = tmp_path / "manifest/rewritten.txt"
    at.write_bytes(at.read_bytes()[:-9])

    assert journal.read() == {str(JANUARY.path): "ab" * 32, str(FEBRUARY.path): "cd" * 32}
    journal.clear()
    journal.clear()
    assert journal.read() == {}


def test_files_under_a_url_are_not_rewritten_in_place():
    with pytest.raises(InputError, match="copy them into a folder first"):
        RewriteJournal(Archive("memory://somewhere"))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(6))
def test_a_run_that_ends_at_any_of_its_writes_has_lost_nothing_and_the_next_one_completes(
    tmp_path, monkeypatch, nth, after
):
    january = put(tmp_path, JANUARY.path, sibling(pd.concat([OWN, EVENING]), "SPY")).read_bytes()
    february = put(tmp_path, FEBRUARY.path, sibling(NEXT, "SPY")).read_bytes()
    replace, calls = Path.replace, []

    def interrupted(at, target):
        calls.append(target)
        if after:
            replace(at, target)
        if len(calls) == nth + 1:
            raise KeyboardInterrupt
        return target if after else replace(at, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rewritten(tmp_path)
    monkeypatch.undo()
    seen = [line for content in contents(tmp_path).values() for line in content.decode().splitlines()]
    for second in pd.concat([OWN, EVENING, NEXT]).index:
        assert any(line.startswith(str(second)) for line in seen)
    noted = RewriteJournal(Archive(tmp_path)).read()
    rewritten(tmp_path)

    assert len(calls) == nth + 1
    assert str(FEBRUARY.path) in noted
    assert contents(tmp_path) == {"SPY_2024_01.csv": text(OWN), "SPY_2024_02.csv": text(pd.concat([EVENING, NEXT]))}
    history = VersionHistory(Archive(tmp_path))
    assert [history.content(file, history.versions(file)[0]) for file in (JANUARY, FEBRUARY)] == [january, february]


@pytest.mark.parametrize("raw", [None, b"no bars"])
def test_the_volumes_of_an_aggregate_stay_as_they_are_where_its_raw_file_cannot_be_read(tmp_path, raw):
    if raw is not None:
        put(tmp_path, JANUARY.path, raw)
    put(tmp_path, MINUTES.path, text(resampled(OWN, "1min").astype({"volume": float})))

    assert rewritten(tmp_path, MINUTES) == {}


@pytest.mark.parametrize("whole", [True, False])
def test_the_volumes_of_an_aggregate_are_written_as_those_of_its_raw_file(tmp_path, whole):
    raw = OWN if whole else OWN.assign(volume=OWN.volume + 0.5)
    right, wrong = (
        text(resampled(OWN, "1min").astype({"volume": kind})) for kind in ((int, float)[:: 1 if whole else -1])
    )
    put(tmp_path, JANUARY.path, text(raw))
    at = put(tmp_path, MINUTES.path, wrong)

    assert rewritten(tmp_path, MINUTES) == {"2024-01": (True, "volume typed as the contract requires")}
    assert at.read_bytes() == right
