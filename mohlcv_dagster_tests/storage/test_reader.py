import hashlib
import os
import weakref

import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.checks import reading, runner
from mohlcv_dagster.checks.check_input import NeighbourMonths, VendorMinutes
from mohlcv_dagster.errors import FailedRulesError, FileMissingError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.reader import BarReader
from mohlcv_dagster_tests.checks.clean_files import FORM, WHOLE, WHOLE_15S

SPY = BarFile("SPY", RAW, Month(2024, 1))
QQQ = BarFile("QQQ", RAW, Month(2024, 1))
SPY_15S, SPY_MINUTE = (BarFile("SPY", timeframes.parse(name), Month(2024, 1)) for name in ("15s", "1min"))
WHOLE_MINUTES = (
    b"ts_event,open,high,low,close,volume\n"
    b"2024-01-02 14:30:00+00:00,475.32,475.5,475.2,475.3,15934\n"
    b"2024-01-02 14:31:00+00:00,475.3,475.3,475.3,475.3,720\n"
)
RECORDED = Provenance(6, hashlib.sha256(WHOLE).hexdigest())


class Watched(Archive):
    """Counts what is read, and whether the reading of before was still held meanwhile."""

    def __init__(self, root):
        super().__init__(root)
        self.reads = []
        self.before = None

    def open(self, file):
        self.reads.append((str(file), self.before is not None and self.before() is not None))
        return super().open(file)


@pytest.fixture
def archive(tmp_path):
    archive = Watched(tmp_path)
    for file, content in ((SPY, WHOLE), (QQQ, WHOLE), (SPY_15S, WHOLE_15S)):
        archive.write(file, content)
    return archive


@pytest.fixture
def reader(archive):
    return BarReader(archive)


def failing(findings):
    return [finding.rule.name for finding in findings if finding.rule in FORM and not finding.passed]


def test_a_raw_file_is_read_and_checked_once_for_all_that_is_made_of_it(archive, reader):
    first = reader.check(SPY, RECORDED)
    reader.read(SPY)

    assert reader.check(SPY, Provenance(RECORDED.rows, RECORDED.sha256)) is first
    assert failing(reader.check(SPY_15S, None).results) == ["as_recorded"]
    assert [name for name, _ in archive.reads] == ["SPY 2024-01 1s", "SPY 2024-01 15s"]


def test_an_aggregate_is_compared_with_what_was_recorded_of_it(reader):
    recorded = Provenance(3, hashlib.sha256(WHOLE_15S).hexdigest())

    assert failing(reader.check(SPY_15S, recorded).results) == []
    assert failing(reader.check(SPY_15S, RECORDED).results) == ["as_recorded"]


@pytest.mark.parametrize(("close", "broken"), [("475.3", set()), ("475.31", {"vendor_minutes"})])
def test_minutes_are_compared_with_the_vendors_own(archive, reader, close, broken):
    archive.write(SPY_MINUTE, WHOLE_MINUTES)
    theirs = csv_codec.decode(WHOLE_MINUTES.replace(b"475.3,720\n", f"{close},720\n".encode()))
    minutes = VendorMinutes(theirs)

    found = reader.check_against_vendor(SPY_MINUTE, reader.read(SPY_MINUTE), None, minutes)

    assert {each.rule.name for each in found.results if not each.passed} == broken


def test_bars_are_as_recorded_where_only_their_values_are_wrong(archive, reader):
    assert reader.as_recorded(SPY, RECORDED).num_rows == 6
    assert reader.as_recorded(SPY, Provenance(6, "0" * 64)) is None
    wrong = WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100")
    recorded = Provenance(6, archive.write(SPY, wrong).sha256)

    assert reader.as_recorded(SPY, recorded).num_rows == 6
    assert reader.as_recorded(SPY, RECORDED) is None


@pytest.mark.parametrize("file", [SPY, SPY_15S])
def test_what_is_in_the_place_of_a_file_is_the_reason_why_it_has_no_bars(archive, reader, file):
    archive.path(file).unlink()
    os.mkfifo(archive.path(file))

    assert (
        reader.read(file).problem
        == f"it cannot be read: {archive.path(file)} is a named pipe, not a file: move it away"
    )


def test_a_raw_file_that_changed_is_read_and_checked_again(archive, reader):
    assert failing(reader.check(SPY, RECORDED).results) == []
    archive.write(SPY, WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100"))

    assert failing(reader.check(SPY, RECORDED).results) == ["as_recorded", "ohlc_order"]


def test_a_raw_file_is_checked_again_when_something_else_was_recorded_of_it(reader):
    assert failing(reader.check(SPY, RECORDED).results) == []
    assert failing(reader.check(SPY, Provenance(7, RECORDED.sha256)).results) == ["as_recorded"]
    assert failing(reader.check(SPY, RECORDED).results) == []


def test_a_raw_file_is_checked_again_when_the_months_next_to_it_are_others_and_not_for_what_is_made_of_it(reader):
    alone = reader.check(SPY, RECORDED, NeighbourMonths())
    beside = reader.check(SPY, RECORDED, NeighbourMonths((0.99,)))

    assert [finding.rule.name for finding in alone.results if finding.passed] != [
        finding.rule.name for finding in beside.results if finding.passed
    ]
    assert reader.check(SPY, RECORDED, NeighbourMonths((0.99,))) is beside
    assert reader.require(SPY, RECORDED).num_rows == 6
    assert reader.check(SPY, RECORDED) is beside


def test_aggregates_are_made_from_one_reading_of_their_raw_file_and_again_once_it_has_changed(archive, reader):
    for file in (SPY_MINUTE, SPY_15S):
        folded = reader.resample(file, RECORDED)
    assert csv_codec.encode(folded) == WHOLE_15S
    assert len(archive.reads) == 1

    archive.write(SPY, WHOLE.replace(b",720\n", b",721\n"))
    assert csv_codec.encode(reader.resample(SPY_15S, None)) == WHOLE_15S.replace(b",720\n", b",721\n")


def test_nothing_is_made_from_a_raw_file_that_breaks_a_rule_or_is_not_there(archive, reader):
    archive.write(SPY, WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100"))
    with pytest.raises(FailedRulesError, match="ohlc_order"):
        reader.resample(SPY_15S, None)
    archive.path(SPY).unlink()
    with pytest.raises(
        FileMissingError, match=r"SPY 2024-01 1s is not stored: materialize raw_1s for SPY 2024-01 first"
    ):
        reader.resample(SPY_15S, None)


def test_a_month_is_read_and_checked_once_for_all_that_is_made_of_it(archive, reader, monkeypatch):
    reader.check(SPY, RECORDED)
    monkeypatch.setattr(runner, "run_rules", lambda *_: pytest.fail("checked again"))

    for _ in ("15s", "30s", "1min"):
        assert reader.require(SPY, RECORDED).num_rows == 6
    assert len(archive.reads) == 1


def test_the_bytes_of_a_checked_file_are_released(reader):
    reader.check(SPY, RECORDED)

    assert reader.read(SPY).content is None
    assert reader.read(SPY).rows == 6


def test_a_large_file_that_was_read_without_proof_is_read_again_to_be_checked_and_then_kept(
    archive, reader, monkeypatch
):
    monkeypatch.setattr(reading, "AT_ONCE", 0)
    assert reader.read(SPY).rows == 6
    assert failing(reader.check(SPY, RECORDED).results) == []
    assert failing(reader.check(SPY, Provenance(6, "0" * 64)).results) == ["as_recorded"]
    reader.read(SPY, verify=True)

    assert len(archive.reads) == 2


def test_a_large_file_that_was_read_with_proof_is_not_read_again_to_be_checked(archive, reader, monkeypatch):
    monkeypatch.setattr(reading, "AT_ONCE", 0)
    reader.read(SPY, verify=True)
    reader.check(SPY, RECORDED)

    assert len(archive.reads) == 1


def test_a_raw_file_that_is_absent_is_looked_for_each_time(archive, reader):
    archive.path(SPY).unlink()
    assert reader.read(SPY).problem == "it is absent"
    archive.write(SPY, WHOLE)

    assert reader.read(SPY).rows == 6


def test_months_that_are_completed_one_after_the_other_are_read_once_each(archive, reader):
    for file in (SPY, QQQ):
        reader.check(file, RECORDED)
        for name in ("15s", "30s", "1min"):
            reader.resample(BarFile(file.symbol, timeframes.parse(name), file.month), RECORDED)

    assert [name for name, _ in archive.reads] == ["SPY 2024-01 1s", "QQQ 2024-01 1s"]


def test_only_the_raw_file_that_was_read_last_is_kept(archive, reader):
    for file in (SPY, QQQ, SPY, SPY):
        reader.read(file)

    assert [name for name, _ in archive.reads] == [f"{name} 2024-01 1s" for name in ("SPY", "QQQ", "SPY")]


def test_a_month_is_released_before_the_next_is_read(archive, reader):
    archive.before = weakref.ref(reader.read(SPY))
    reader.read(QQQ)

    assert archive.reads == [("SPY 2024-01 1s", False), ("QQQ 2024-01 1s", False)]


def test_a_month_is_released_before_the_bars_of_another_come(reader):
    held = weakref.ref(reader.read(SPY))
    reader.release()

    assert held() is None
