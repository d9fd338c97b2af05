"""The home: whether it opens, and who holds it."""

import dagster as dg
import pytest

from mohlcv_dagster.cli import up
from mohlcv_dagster.cli.examinations import home
from mohlcv_dagster.cli.examinations.finding import Verdict
from mohlcv_dagster.cli.homes import Home


def test_a_home_that_is_not_there_or_new_is_told_and_not_made(tmp_path):
    assert [found.verdict for found in home.examine(tmp_path / "absent", told=False)] == [Verdict.FINE]
    assert not (tmp_path / "absent").exists()
    assert [found.verdict for found in home.examine(tmp_path, told=True)] == [Verdict.WARNING]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def made_home(request):
    """The project's home: named so as not to hide the examination of it."""
    return request.getfixturevalue("home")


def test_a_home_opens_and_who_holds_it_is_told(made_home):
    assert [found.found.partition(" opens: ")[2] or found.found for found in home.examine(made_home, told=False)] == [
        "0 symbols, 0 months recorded",
        "not in use by `mohlcv up`",
    ]
    with up._alone_in(Home(made_home, {})):
        assert list(home.examine(made_home, told=False))[-1].found == "in use: `mohlcv up` is running on it"


FORMER = """\
# mine
event_log_storage:
  module: mohlcv_dagster.defs.event_log
  class: KeptSqliteEventLogStorage
  config: {}
run_coordinator:
  module: mohlcv_dagster.defs.run_queue
  class: PromptRunCoordinator
"""


def test_names_that_have_moved_are_corrected_and_nothing_else_and_a_home_that_has_them_opens_without(
    made_home, monkeypatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(made_home))
    file = made_home / "dagster.yaml"
    file.write_text(FORMER)
    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__name__ == "RememberingSqliteEventLogStorage"

    corrected, opened, _ = home.examine(made_home, told=False)

    assert (corrected.verdict, opened.verdict) == (Verdict.FINE, Verdict.FINE)
    assert "which has moved: corrected" in corrected.found
    assert file.read_text() == (
        FORMER.replace("mohlcv_dagster.defs.event_log", "mohlcv_dagster.dagster_patches.sqlite_event_log")
        .replace("KeptSqlite", "RememberingSqlite")
        .replace("mohlcv_dagster.defs.run_queue", "mohlcv_dagster.dagster_patches.run_queue")
    )
    assert len(list(home.examine(made_home, told=False))) == 2


@pytest.mark.parametrize("broken", ["telemetry: [", "run_storage: {module: nowhere, class: None, config: {}}\n"])
def test_a_home_that_does_not_open_is_wrong_with_its_cure(made_home, broken):
    (made_home / "dagster.yaml").write_text(broken)
    found = next(home.examine(made_home, told=True))

    assert (found.verdict, "does not open" in found.found) == (Verdict.WRONG, True)
    assert "dagster.yaml" in found.cure


def test_a_home_whose_database_is_rubbish_is_wrong(made_home):
    for database in made_home.rglob("*.db"):
        database.write_bytes(b"rubbish" * 1000)

    assert next(home.examine(made_home, told=False)).verdict is Verdict.WRONG
