"""The history of a file of bars: each version comes back byte for byte, and what is lost is said."""

from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from mohlcv_dagster.errors import DiskFullError, FileError, FileMissingError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.storage import history as history_module
from mohlcv_dagster.storage.adoption_survey import survey
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory, folder_of
from mohlcv_dagster.storage.inventory import FileKind, Inventory
from mohlcv_dagster.storage.restore import restore
from mohlcv_dagster.storage.verify import verify
from mohlcv_dagster.storage.versions import as_of
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.storage.revisions import (
    FEBRUARY,
    FILE,
    described,
    differences,
    kept,
    killed_before_the_file_is_replaced,
    replace,
    versions,
)

MINUTES = BarFile.parse("aggregated/1min/SPY_2024_01_1min.csv")
LINES = WHOLE.splitlines(keepends=True)
REVISED = WHOLE.replace(b",15234\n", b",15235\n")
FEWER = b"".join([*LINES[:3], *LINES[4:]])
FRACTIONAL = HEADER + b"".join(line.replace(b"\n", b".0\n") for line in LINES[1:]).replace(b",100.0\n", b",100.5\n")
FOREIGN = {
    "CRLF": WHOLE.replace(b"\n", b"\r\n"),
    "other columns": b"".join(b"1," + line for line in LINES).replace(b"1,ts_event", b"rtype,ts_event"),
    "decimals as text": WHOLE.replace(b"475.4,", b"475.40,"),
    "no last line end": WHOLE[:-1],
    "unsorted": b"".join([LINES[0], LINES[2], LINES[1], *LINES[3:]]),
    "repeated": WHOLE + LINES[-1],
    "half": WHOLE[:-20],
    "nothing": b"",
    "no text": bytes(range(256)),
    "a missing value": WHOLE.replace(b",100\n", b",\n"),
    "minus zero": WHOLE.replace(b"475.28,", b"-0.0,"),
    "a volume beyond a float": WHOLE.replace(b",100\n", b",9007199254740993\n"),
}


class Clock(datetime):
    """A clock that stands."""

    moment = FEBRUARY

    @classmethod
    def now(cls, tz=None):
        return cls.moment.astimezone(tz)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(history_module, "datetime", Clock)
    Clock.moment = FEBRUARY
    return Clock


@pytest.fixture(params=["folder", "memory"])
def archive(request, tmp_path):
    return Archive(str(tmp_path / "data") if request.param == "folder" else f"memory://{tmp_path.name}")


def forms(archive, file=FILE):
    return [str(each.kept.file.form) for each in VersionHistory(archive).versions(file)[:-1]]


def test_each_version_is_kept_with_what_changed_and_comes_back_byte_for_byte(archive, clock):
    every = [WHOLE, REVISED, FEWER, FRACTIONAL, HEADER, WHOLE]
    archive.write(FILE, WHOLE)
    described(archive, WHOLE, fetched_at=FEBRUARY)
    for day, content in enumerate(every[1:], start=1):
        clock.moment = FEBRUARY + timedelta(days=day)
        replace(archive, content)

    assert versions(archive) == every
    assert forms(archive) == ["changes"] * 5
    found = VersionHistory(archive).versions(FILE)
    assert [each.stored_at for each in found] == [FEBRUARY + timedelta(days=day) for day in range(6)]
    assert [each.superseded_at for each in found] == [*(FEBRUARY + timedelta(days=day) for day in range(1, 6)), None]
    counts = [(each.following.changed, each.following.added, each.following.removed) for each in found[:-1]]
    assert counts == [(1, 0, 0), (1, 0, 1), (1, 1, 0), (0, 0, 6), (0, 6, 0)]
    assert [each.rows for each in found] == [6, 6, 5, 6, 0, 6]
    assert [each.sha256 for each in found] == [sha256(each).hexdigest() for each in every]
    assert differences(archive) == []


def test_nothing_is_kept_of_a_first_write_or_where_the_bytes_did_not_change(archive):
    replace(archive, WHOLE)
    replace(archive, WHOLE)

    assert (kept(archive), versions(archive)) == ([], [WHOLE])


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_former_file_of_any_form_comes_back_byte_for_byte(archive, content):
    archive.write(FILE, content)
    replace(archive, WHOLE)
    replace(archive, content)
    replace(archive, REVISED)

    assert versions(archive) == [content, WHOLE, content, REVISED]
    assert differences(archive) == []


def test_the_former_manifest_entry_is_kept_without_what_passed_rules_said(archive):
    checks = (RecordedResult("a", True, "error", "Fine."), RecordedResult("b", False, "warn", "Bad."))
    archive.write(FILE, WHOLE)
    entry = described(archive, WHOLE, fetched_at=FEBRUARY, vendor="Massive.com", checks=checks)
    replace(archive, REVISED)
    replace(archive, WHOLE)  # the entry is still that of the version before

    first, second, _ = VersionHistory(archive).versions(FILE)
    told = ManifestEntry.decode(first.kept.file.entry)
    assert (told.vendor, told.fetched_at, told.sha256) == ("Massive.com", FEBRUARY, entry.sha256)
    assert [(each.name, each.message) for each in told.checks] == [("a", ""), ("b", "Bad.")]
    assert second.kept.file.entry == b""


def test_a_first_version_without_a_manifest_entry_is_stored_when_its_file_was_written(archive):
    archive.write(FILE, WHOLE)
    written = archive.written_at(FILE)
    replace(archive, REVISED)

    assert VersionHistory(archive).versions(FILE)[0].stored_at == written


def test_as_of_takes_the_last_version_that_was_stored_before_a_moment_and_says_where_there_is_none(archive, clock):
    archive.write(FILE, WHOLE)
    described(archive, WHOLE, fetched_at=FEBRUARY)
    clock.moment = FEBRUARY + timedelta(days=1)
    replace(archive, REVISED)
    found, second = VersionHistory(archive).versions(FILE), timedelta(seconds=1)

    assert as_of(FILE, found, FEBRUARY + second).sha256 == sha256(WHOLE).hexdigest()
    assert as_of(FILE, found, clock.moment).sha256 == sha256(WHOLE).hexdigest()
    assert as_of(FILE, found, clock.moment + second).sha256 == sha256(REVISED).hexdigest()
    with pytest.raises(FileMissingError, match="nothing of SPY 2024-01 1s was stored by then: the first version was "):
        as_of(FILE, found, FEBRUARY)


def test_turned_off_nothing_more_is_kept_and_what_is_kept_stays_readable(archive, clock):
    archive.write(FILE, WHOLE)
    replace(archive, REVISED)
    clock.moment += timedelta(days=1)
    replace(archive, FEWER, is_on=False)
    clock.moment += timedelta(days=1)
    replace(archive, FRACTIONAL, is_on=False)
    clock.moment += timedelta(days=1)
    described(archive, FRACTIONAL, fetched_at=clock.moment)
    replace(archive, WHOLE)

    assert versions(archive) == [WHOLE, FRACTIONAL, WHOLE]
    assert forms(archive) == ["bars", "changes"]
    assert differences(archive) == []
    with pytest.raises(
        FileMissingError, match=r"was not kept: .* while MOHLCV_HISTORY was false or by another program"
    ):
        as_of(FILE, VersionHistory(archive).versions(FILE), FEBRUARY + timedelta(days=2))


def test_turned_off_a_file_that_the_history_needs_not_is_replaced_without_reading_any(archive):
    archive.write(FILE, WHOLE)
    replace(archive, REVISED, is_on=False)

    assert (kept(archive), versions(archive)) == ([], [REVISED])


class Unreadable(Archive):
    """An archive whose disk does not give the bytes of any file of bars."""

    def open(self, file):
        raise FileError(f"{file} could not be read: Input/output error")


def pieces():
    """The bytes of a version in pieces, counted as they are taken."""
    taken = []

    def each():
        for line in FEWER.splitlines(keepends=True):
            taken.append(line)
            yield line

    return each(), taken


def test_a_file_that_cannot_be_read_is_not_replaced_and_the_message_says_how_it_can_be(tmp_path):
    Archive(tmp_path).write(FILE, WHOLE)

    with pytest.raises(FileError, match="Input/output error; it is not replaced, since what it was could not be kept"):
        replace(Unreadable(tmp_path), REVISED)

    with pytest.raises(FileError, match="move it out of the data folder, or set MOHLCV_HISTORY=false to replace it"):
        replace(Unreadable(tmp_path), REVISED)
    assert versions(Archive(tmp_path)) == [WHOLE]


@pytest.mark.parametrize("replaced_before", [False, True])
def test_turned_off_a_file_that_cannot_be_read_is_replaced_and_verify_tells_what_is_lost_with_it(
    tmp_path, replaced_before
):
    archive = Archive(tmp_path)
    archive.write(FILE, WHOLE)
    if replaced_before:
        replace(archive, REVISED)
    replace(Unreadable(tmp_path), FEWER, is_on=False)

    assert archive.read(FILE) == FEWER
    assert ["is lost" in message for _, message in differences(archive)] == [True] * replaced_before


def test_turned_off_the_new_bytes_are_written_as_they_come_and_never_joined(archive):
    archive.write(FILE, WHOLE)
    content, taken = pieces()

    with VersionHistory(archive, is_on=False).replacing(FILE, content, Replacement.FORCED) as kept_content:
        assert taken == []
        archive.write(FILE, kept_content)
    assert (archive.read(FILE), len(taken)) == (FEWER, FEWER.count(b"\n"))


def test_a_rewritten_aggregate_is_kept_in_full_since_runs_replace_it_without_a_history(archive):
    archive.write(MINUTES, FOREIGN["CRLF"])
    replace(archive, WHOLE, MINUTES, why=Replacement.REWRITTEN)
    replace(archive, REVISED, MINUTES, why=Replacement.REWRITTEN)
    archive.write(MINUTES, FEWER)

    assert forms(archive, MINUTES) == ["bytes", "bars"]
    assert versions(archive, MINUTES) == [FOREIGN["CRLF"], WHOLE, FEWER]
    assert differences(archive) == []


def test_a_replacement_that_fails_leaves_the_history_as_it_was(archive):
    archive.write(FILE, WHOLE)
    replace(archive, REVISED)
    before = kept(archive)
    during = []

    def refused():
        with VersionHistory(archive).replacing(FILE, [FEWER], Replacement.FORCED):
            during.extend(kept(archive))
            raise DiskFullError("No space left on device")

    with pytest.raises(DiskFullError):
        refused()

    assert len(during) == 2
    assert (kept(archive), versions(archive)) == (before, [WHOLE, REVISED])


@pytest.mark.parametrize("again", [FEWER, FRACTIONAL], ids=["the same", "another"])
def test_a_replacement_that_did_not_happen_is_no_version_and_the_next_one_goes_on(archive, again):
    archive.write(FILE, WHOLE)
    replace(archive, REVISED)
    killed_before_the_file_is_replaced(archive, FEWER)

    assert versions(archive) == [WHOLE, REVISED]
    assert differences(archive) == []
    replace(archive, again)
    assert versions(archive) == [WHOLE, REVISED, again]
    assert differences(archive) == []
    replace(archive, WHOLE)
    assert versions(archive) == [WHOLE, REVISED, again, WHOLE]
    assert differences(archive) == []


def test_two_writers_at_once_overwrite_nothing_that_the_other_one_keeps(archive):
    archive.write(FILE, WHOLE)
    killed_before_the_file_is_replaced(archive, FEWER)
    killed_before_the_file_is_replaced(archive, REVISED)
    archive.write(FILE, FEWER)  # the second file of the history was written before the first file of bars

    assert versions(archive) == [WHOLE, FEWER]
    assert differences(archive) == []


@pytest.fixture
def three(archive):
    """An archive with three former versions, as recorded."""
    archive.write(FILE, WHOLE)
    for content in (REVISED, FEWER, FRACTIONAL):
        replace(archive, content)
    described(archive, FRACTIONAL)
    assert verify(archive).differences == ()
    return archive


def test_any_flipped_bit_of_the_history_is_found_and_only_what_is_told_from_it_is_lost(three):
    for number, path in enumerate(kept(three), start=1):
        content = (three.root / path).read_bytes()
        for bit in range(0, len(content) * 8, 97):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            (three.root / path).write_bytes(bytes(flipped))
            found = dict(differences(three))
            assert path in found, bit
            assert len(found) == number, bit  # the versions before it, too
        (three.root / path).write_bytes(content)
    assert verify(three).differences == ()


def test_a_file_of_the_history_that_is_missing_is_found_with_what_is_lost(three):
    first, second, third = kept(three)
    (three.root / second).unlink()

    (lost, why), (missing, how) = differences(three)
    assert (lost, missing) == (first, f"{folder_of(FILE)}/0002.parquet")
    digests = [sha256(each).hexdigest()[:12] for each in (WHOLE, REVISED)]
    assert f"Z (sha256 {digests[0]}…) is lost: it is told from the one that followed it (sha256 {digests[1]}…), " in why
    assert why.endswith(
        "which is neither in the history nor the present file. Put that one back from a copy, or delete this file."
    )
    assert "version 2 of SPY 2024-01 1s is lost: its file, 0002-….parquet, is missing. Copy it again" in how
    assert [each.is_lost for each in VersionHistory(three).versions(FILE)] == [True, False, False]
    with pytest.raises(FileError, match="cannot be rebuilt"):
        VersionHistory(three).content(FILE, VersionHistory(three).versions(FILE)[0])
    (three.root / third).unlink()
    assert [path for path, _ in differences(three)] == [first]


def test_a_changed_file_of_bars_loses_what_is_told_from_it_until_it_is_restored(three, tmp_path):
    copy = Archive(tmp_path / "copy")
    copy.write(FILE, FRACTIONAL)
    three.write(FILE, WHOLE.replace(b"475.4,", b"999.4,"))

    assert len(differences(three)) == 3
    present = VersionHistory(three).versions(FILE)[-1]
    with pytest.raises(FileError, match="has changed since it was recorded"):
        VersionHistory(three).content(FILE, present)
    left, restored = restore(three, verify(three), copy)
    assert ([each.path for each in restored], left.differences) == ([str(FILE.path)], ())


def test_a_file_in_the_place_of_another_is_found(three):
    first, second, third = kept(three)
    (three.root / second).write_bytes((three.root / third).read_bytes())
    (three.root / f"{folder_of(FILE)}/old.parquet").write_bytes((three.root / third).read_bytes())

    found = dict(differences(three))
    assert found.keys() == {first, second, f"{folder_of(FILE)}/old.parquet"}
    assert "it is about another replacement of raw_1s/SPY/SPY_2024_01.csv" in found[second]


def test_files_of_the_history_are_no_files_of_bars(three):
    assert list(Inventory.of(three.root).bars) == [FILE]
    found = survey(three, frozenset())
    assert (found.files, found.misnamed) == ([FILE], [])
    assert list(three.files()) == [FILE]
    assert all(each.bars == FILE for each in Inventory.of(three.root).of_kind(FileKind.FORMER_VERSION))
