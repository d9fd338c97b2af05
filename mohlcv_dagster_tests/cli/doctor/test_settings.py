"""The settings: each told with where it came from, no secret shown, slips pointed out."""

import pytest

from mohlcv_dagster.cli.examinations import settings
from mohlcv_dagster.cli.examinations.finding import Verdict


def of_settings(shell=None, file=None):
    return list(settings.examine(shell or {}, file or {}))


@pytest.mark.parametrize(
    ("key", "verdict", "words"),
    [
        ("", Verdict.WRONG, "is not set"),
        ("   ", Verdict.WRONG, "is not set"),
        ("your_key", Verdict.WRONG, "still the example's words"),
        ("'abcdefghijklmnopqrstuvwxyz'", Verdict.WRONG, "in quotes"),
        ("abcdefghij klmnopqrstuvwxyz", Verdict.WRONG, "holds a blank"),
        ("abcdefghijklmnöpqrstuvwxyz", Verdict.WRONG, "outside ASCII"),
        ("abcdefgh", Verdict.WARNING, "8 characters; the vendor's keys have 32"),
        ("abcdefghijklmnopqrstuvwxyz123456", Verdict.FINE, "set in the environment, 32 characters"),
    ],
)
def test_the_shape_of_the_key_is_told_and_never_the_key(key, verdict, words):
    found = of_settings({"MASSIVE_API_KEY": key})[0]

    assert (found.topic, found.verdict) == ("key", verdict)
    assert words in found.found
    assert key.strip("' ")[:8] not in found.found + found.cure or not key.strip() or key == "your_key"


def test_the_former_name_of_the_key_is_pointed_out():
    assert "though POLYGON_API_KEY is, which is not read" in of_settings({"POLYGON_API_KEY": "x"})[0].found


def test_each_value_is_told_with_where_it_came_from():
    shell = {"MOHLCV_START": "2020-01", "MASSIVE_CONCURRENCY": ""}
    file = {"MOHLCV_START": "2021-01", "MASSIVE_ADJUSTED": "true", "MASSIVE_CONCURRENCY": "3"}
    told = [found.found for found in of_settings(shell, file)]

    assert "MOHLCV_START = 2020-01  (environment)" in told
    assert "MASSIVE_ADJUSTED = true  (.env)" in told
    assert "MASSIVE_CONCURRENCY = 8  (default)" in told  # blank in the shell, which wins
    assert "MASSIVE_REQUESTS_PER_MINUTE = (none)  (default)" in told


def test_no_secret_is_shown_whether_it_can_be_meant_or_not():
    shell = {"MOHLCV_ALERT_COMMAND": "mail -H hush", "MOHLCV_ALERT_URL": "https://hooks.example/hush"}
    told = of_settings(shell)
    refused = of_settings({"MOHLCV_ALERT_URL": "hooks.example/hush"})

    assert "MOHLCV_ALERT_COMMAND = (set)  (environment)" in [found.found for found in told]
    assert "hush" not in "".join(found.found + found.cure for found in [*told, *refused])
    assert [found.found[:16] for found in refused if found.verdict is Verdict.WRONG][1:] == ["MOHLCV_ALERT_URL"]


def test_a_value_that_cannot_be_meant_is_told_and_the_others_all_the_same():
    told = of_settings({}, {"MASSIVE_CONCURRENCY": "many", "MOHLCV_START": "soon"})

    assert [(found.found[:19], found.cure) for found in told if found.verdict is Verdict.WRONG][1:] == [
        ("MOHLCV_START='soon'", "Change MOHLCV_START in .env."),
        ("MASSIVE_CONCURRENCY", "Change MASSIVE_CONCURRENCY in .env."),
    ]


def test_a_variable_that_looks_like_a_slip_is_told_with_what_may_be_meant_and_no_value():
    told = of_settings({"MASSIVE_APIKEY": "hush", "MOHLCV_TEST_REAL": "1"}, {"MOHLCV_DATADIR": "x", "OTHER": "y"})
    slips = {found.found: found.cure for found in told if "is no setting" in found.found}

    assert slips == {
        "MASSIVE_APIKEY in the environment is no setting, and is not read": "Is MASSIVE_API_KEY meant?",
        "MOHLCV_DATADIR in .env is no setting, and is not read": "Is MOHLCV_DATA_DIR meant?",
    }


def test_a_calendar_is_held_to_its_form_and_nothing_is_said_of_none(tmp_path):
    days = tmp_path / "days.txt"
    days.write_text("2025-01-09 closed\n")
    assert list(settings.calendar("")) == []
    assert [(found.verdict, found.found[:16]) for found in settings.calendar(str(days))] == [
        (Verdict.FINE, "1 day overridden")
    ]
    days.write_text("sometime\n")
    assert [found.verdict for found in settings.calendar(str(days))] == [Verdict.WRONG]
    assert [found.verdict for found in settings.calendar(str(tmp_path / "absent"))] == [Verdict.WRONG]
