"""`mohlcv history`: what a person reads of the versions of a month, and the file that is written as of a day."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import history as history_module
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import WHOLE, WHOLE_15S
from mohlcv_dagster_tests.storage.revisions import FEBRUARY, FILE, described, kept, replace

REVISED = WHOLE.replace(b",15234\n", b",15235\n")
REVISED_15S = WHOLE_15S.replace(b",15634\n", b",15635\n")
NUMBERS = "ts_event,open,high,low,close,volume\n2024-03-08 14:30:00+00:00,10.5,10.6,10.4,10.55,{}\n"


class OnTheFifth(datetime):
    """A clock that stands at noon of the fifth of February, UTC."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2024, 2, 5, 12, tzinfo=UTC).astimezone(tz)


@pytest.fixture
def archive(project, monkeypatch):
    """A month that was stored on the first of February and revised on the fifth at noon."""
    archive = Archive(project / "data")
    archive.write(FILE, WHOLE)
    described(archive, WHOLE, fetched_at=FEBRUARY)
    monkeypatch.setattr(history_module, "datetime", OnTheFifth)
    replace(archive, REVISED)
    described(archive, REVISED, fetched_at=OnTheFifth.now(UTC))
    return archive


@pytest.mark.usefixtures("archive")
def test_versions_are_listed_with_what_changed(mohlcv):
    said = mohlcv("history", "SPY", "2024-01")

    assert said.code == 0
    assert said.out.startswith("SPY 2024-01 1s: 2 versions, times in UTC\n")
    first, second = ([cell.strip() for cell in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line)
    assert first[:3] == ["2024-02-01 06:00:00", "2024-02-05 12:00:00", "6"]
    assert first[3:] == [sha256(WHOLE).hexdigest()[:12], "downloaded again, forced", "1", "0", "0"]
    assert second[:2] == ["2024-02-05 12:00:00", "present"]


def test_the_document_has_all_that_is_known_of_each_version(archive, mohlcv):
    told = json.loads(mohlcv("history", "SPY", "2024-01", "--json").out)
    first, second = told["versions"]

    assert (told["symbol"], told["month"], told["timeframe"]) == ("SPY", "2024-01", "1s")
    assert (first["stored_at"], first["superseded_at"]) == ("2024-02-01T06:00:00+00:00", "2024-02-05T12:00:00+00:00")
    assert (first["changed"], first["added"], first["removed"], first["lost"]) == (1, 0, 0, False)
    assert [first["path"]] == kept(archive)
    assert (second["superseded_at"], second["why"], second["path"]) == (None, None, None)


@pytest.mark.parametrize(
    ("day", "content"),
    [
        ("2024-02-01", WHOLE),
        ("2024-02-04", WHOLE),
        ("2024-02-05", REVISED),
        ("2024-02-05T11:59:59Z", WHOLE),
        ("2024-02-05T12:00", REVISED),
        ("2024-02-05T12:59:59+01:00", WHOLE),
        ("2024-02-01T06:00:00Z", WHOLE),
        (f"{datetime.now(UTC):%Y-%m-%d}", REVISED),
    ],
)
@pytest.mark.usefixtures("archive")
def test_the_file_of_a_day_is_written_byte_for_byte(project, mohlcv, day, content):
    said = mohlcv("history", "SPY", "2024-01", "--as-of", day, "--output", "out/then.csv")

    assert said.code == 0, said.err
    assert (project / "out/then.csv").read_bytes() == content


@pytest.mark.parametrize(("day", "content"), [("2024-02-04", WHOLE_15S), ("2024-02-05", REVISED_15S)])
@pytest.mark.usefixtures("archive")
def test_another_timeframe_is_resampled_from_the_raw_bars_of_that_day(project, mohlcv, day, content):
    mohlcv("history", "SPY", "2024-01", "--as-of", day, "--timeframe", "15s", "--output", "then.csv")

    assert (project / "then.csv").read_bytes() == content


def test_a_timeframe_that_adopt_rewrote_is_given_as_it_was_until_then(archive, project, mohlcv, monkeypatch):
    file = BarFile.parse("aggregated/15s/SPY_2024_01_15s.csv")
    archive.write(file, WHOLE_15S.replace(b"\n", b"\r\n"))
    monkeypatch.setattr(history_module, "datetime", datetime)
    replace(archive, WHOLE_15S, file)
    replaced = history_module.VersionHistory(archive).versions(file)[0].superseded_at
    for moment in (replaced - timedelta(microseconds=1), replaced):
        words = ("--as-of", moment.isoformat(), "--timeframe", "15s", "--output", f"{moment:%f}.csv")
        assert mohlcv("history", "SPY", "2024-01", *words).code == 0

    before, after = (project / f"{moment:%f}.csv" for moment in (replaced - timedelta(microseconds=1), replaced))
    assert before.read_bytes() == WHOLE_15S.replace(b"\n", b"\r\n")
    assert after.read_bytes() == REVISED_15S


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--as-of", "2024-01-31", "--output", "x"), 1, "nothing of SPY 2024-01 1s was stored by then: the first vers"),
        (("--as-of", "2024-01-31"), 2, "--as-of and --output belong together"),
        (("--output", "x"), 2, "--as-of and --output belong together"),
        (("--as-of", "March", "--output", "x"), 2, "'March' is not a day; write one as 2024-03-01"),
        (("--as-of", "2099-01-01", "--output", "x"), 2, "--as-of 2099-01-01 is in the future"),
        (("--as-of", "2024-02-05", "--output", "data/x"), 2, "--output data/x is in the data folder"),
        (("--as-of", "2024-02-05", "--output", "data"), 2, "--output data is in the data folder"),
        (("--as-of", "2024-02-05", "--output", ".env/x"), 2, "--output .env/x cannot be written"),
        (("--timeframe", "7s"), 2, "7s"),
    ],
)
@pytest.mark.usefixtures("archive")
def test_what_cannot_be_done_is_refused_in_a_sentence_and_writes_nothing(project, mohlcv, words, code, why):
    (project / ".env").touch()
    said = mohlcv("history", "SPY", "2024-01", *words)

    assert said.code == code
    assert why in said.err
    assert not (project / "x").exists()


@pytest.mark.usefixtures("archive")
def test_a_month_that_was_never_stored_has_no_versions(mohlcv):
    said = mohlcv("history", "SPY", "2023-12", "--json")

    assert said.code == 1
    assert json.loads(said.out)["error"] == "SPY 2023-12 1s is not stored, and no former version of it is kept"


@pytest.mark.parametrize("is_there", [True, False])
def test_in_an_empty_project_there_is_nothing_to_list_before_a_fetch(project, mohlcv, is_there):
    if is_there:
        (project / "data").mkdir()
    said = mohlcv("history", "SPY", "2024-01", "--json")

    assert said.code == 1
    assert json.loads(said.out)["error"] == "Nothing is stored yet. Fetch SPY first."


def test_a_version_that_is_lost_is_marked_and_refused(archive, project, mohlcv):
    archive.write(FILE, WHOLE.replace(b"475.4,", b"999.4,"))

    assert "forced (lost)" in mohlcv("history", "SPY", "2024-01").out
    said = mohlcv("history", "SPY", "2024-01", "--as-of", "2024-02-04", "--output", "x")
    assert (said.code, (project / "x").exists()) == (1, False)
    assert "cannot be rebuilt" in said.err
    said = mohlcv("history", "SPY", "2024-01", "--as-of", f"{datetime.now(UTC):%Y-%m-%d}", "--output", "x")
    assert (said.code, (project / "x").exists()) == (1, False)
    assert "has changed since it was recorded" in said.err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("number", ["18446744073709551615", "9223372036.854775807"])
def test_a_rewrite_that_would_change_a_number_is_refused_and_nothing_is_kept(project, mohlcv, number):
    at = project / "data/raw_1s/BIGV/BIGV_2024_03.csv"
    at.parent.mkdir(parents=True)
    at.write_text(NUMBERS.format(number))
    said = mohlcv("adopt", "--rewrite")

    assert f"'{number}' is a number that a float does not hold" in said.out
    assert at.read_text() == NUMBERS.format(number)
    assert kept(Archive(project / "data")) == []


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("is_on", [True, False])
def test_the_former_bytes_of_a_rewritten_file_are_kept_unless_that_is_turned_off(project, mohlcv, monkeypatch, is_on):
    monkeypatch.setenv("MOHLCV_HISTORY", str(is_on).lower())
    at, former = project / "data" / str(FILE.path), WHOLE.replace(b"\n", b"\r\n")
    at.parent.mkdir(parents=True)
    at.write_bytes(former)
    mohlcv("adopt", "--rewrite", "--dry-run")
    assert kept(Archive(project / "data")) == []
    mohlcv("adopt", "--rewrite")

    assert at.read_bytes() == WHOLE
    found = json.loads(mohlcv("history", "SPY", "2024-01", "--json").out)["versions"]
    assert [each["why"] for each in found] == (["rewritten by adopt", None] if is_on else [None])
    if is_on:
        mohlcv("history", "SPY", "2024-01", "--as-of", found[0]["stored_at"], "--output", "then.csv")
        assert (project / "then.csv").read_bytes() == former
