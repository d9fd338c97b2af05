"""What `mohlcv doctor` finds of settings, the installation and the vendor."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest
from packaging.specifiers import SpecifierSet

from mohlcv_dagster.cli import diagnostics
from mohlcv_dagster.cli.diagnostics import Health
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy


def of_settings(shell=None, file=None):
    return list(diagnostics.settings(shell or {}, file or {}))


@pytest.mark.parametrize(
    ("key", "verdict", "words"),
    [
        ("", Health.WRONG, "is not set"),
        ("   ", Health.WRONG, "is not set"),
        ("your_key", Health.WRONG, "still the text of the example"),
        ("'abcdefghijklmnopqrstuvwxyz'", Health.WRONG, "in quotes"),
        ("abcdefghij klmnopqrstuvwxyz", Health.WRONG, "holds a blank"),
        ("abcdefghijklmnöpqrstuvwxyz", Health.WRONG, "outside ASCII"),
        ("abcdefgh", Health.WARNING, "8 characters; the vendor's keys have 32"),
        ("abcdefghijklmnopqrstuvwxyz123456", Health.FINE, "set in the environment, 32 characters"),
    ],
)
def test_the_shape_of_the_key_is_told_and_never_the_key(key, verdict, words):
    found = of_settings({"MASSIVE_API_KEY": key})[0]

    assert (found.topic, found.health) == ("key", verdict)
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


def test_no_secret_is_shown_whether_it_is_valid_or_not():
    shell = {"MOHLCV_ALERT_COMMAND": "mail -H hush", "MOHLCV_ALERT_URL": "https://hooks.example/hush"}
    told = of_settings(shell)
    refused = of_settings({"MOHLCV_ALERT_URL": "hooks.example/hush"})

    assert "MOHLCV_ALERT_COMMAND = (set)  (environment)" in [found.found for found in told]
    assert "hush" not in "".join(found.found + found.cure for found in [*told, *refused])
    assert [found.found[:16] for found in refused if found.health is Health.WRONG][1:] == ["MOHLCV_ALERT_URL"]


def test_a_value_that_is_invalid_is_told_and_the_others_all_the_same():
    told = of_settings({}, {"MASSIVE_CONCURRENCY": "many", "MOHLCV_START": "soon"})

    assert [(found.found[:19], found.cure) for found in told if found.health is Health.WRONG][1:] == [
        ("MOHLCV_START='soon'", "Change MOHLCV_START in .env."),
        ("MASSIVE_CONCURRENCY", "Change MASSIVE_CONCURRENCY in .env."),
    ]


def test_a_variable_that_looks_like_a_slip_is_told_with_what_may_be_meant_and_no_value():
    told = of_settings({"MASSIVE_APIKEY": "hush", "MOHLCV_TEST_REAL": "1"}, {"MOHLCV_DATADIR": "x", "OTHER": "y"})
    slips = {found.found: found.cure for found in told if "is not a setting" in found.found}

    assert slips == {
        "MASSIVE_APIKEY in the environment is not a setting, and is not read": "Did you mean MASSIVE_API_KEY?",
        "MOHLCV_DATADIR in .env is not a setting, and is not read": "Did you mean MOHLCV_DATA_DIR?",
    }


def test_a_calendar_is_held_to_its_form_and_nothing_is_said_of_none(tmp_path):
    days = tmp_path / "days.txt"
    days.write_text("2025-01-09 closed\n")
    assert list(diagnostics.calendar("")) == []
    assert [(found.health, found.found[:16]) for found in diagnostics.calendar(str(days))] == [
        (Health.FINE, "1 day overridden")
    ]
    days.write_text("sometime\n")
    assert [found.health for found in diagnostics.calendar(str(days))] == [Health.WRONG]
    assert [found.health for found in diagnostics.calendar(str(tmp_path / "absent"))] == [Health.WRONG]


def test_versions_within_their_bounds_are_one_line_and_others_are_named():
    installed = {"dagster": "1.13.27", "pandas": "1.5.3"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    good = list(diagnostics.versions(["dagster<1.14,>=1.13.20"], SpecifierSet(">=3.11"), version))
    assert [(found.health, "dagster 1.13.27" in found.found) for found in good] == [(Health.FINE, True)]
    needed = ["dagster<1.14,>=1.13.20", "pandas<4,>=2.2", "isal>=1.7", 'never; python_version < "3"']
    bad = list(diagnostics.versions(needed, SpecifierSet(">=99"), version))
    assert [found.found.partition(" (")[0] for found in bad][1:] == [
        "pandas 1.5.3 is not <4,>=2.2",
        "isal is not installed",
    ]
    assert bad[0].found.endswith("is not >=99")
    assert {found.health for found in bad} == {Health.WRONG}


def test_this_installation_is_within_the_bounds_of_the_package():
    assert [found.health for found in diagnostics.installation()] == [Health.FINE, Health.FINE]


def test_zones_that_are_not_there_or_know_no_summer_time_are_wrong(monkeypatch):
    monkeypatch.setattr(diagnostics, "_EASTERN", "America/Nowhere")
    assert diagnostics.time_zones().health is Health.WRONG
    monkeypatch.setattr(diagnostics, "_EASTERN", "Etc/GMT+5")
    assert "daylight saving time" in diagnostics.time_zones().found


KEY = "a-key-that-no-word-holds"
NOW = datetime(2025, 6, 16, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox():
    """The vendor that is asked."""
    with Sandbox(QuietSpy()) as sandbox:
        yield sandbox


@pytest.fixture
def asked(sandbox):
    """What the vendor examination finds, by topic, and how many requests it took."""
    sandbox.clear()

    def made(*faults, ahead=0.0):
        sandbox.inject(*faults)
        clock = replace(Clock(), now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
        found = {each.topic: each for each in diagnostics.vendor(KEY, sandbox.url, clock)}
        return found, len(sandbox.requests)

    return made


def years_ago(years):
    return f"{datetime.now(UTC).year - years}-01"


def test_all_is_well_with_a_vendor_that_gives_all_and_it_took_three_requests(asked):
    found, requests = asked()

    assert [each.health for each in found.values()] == [Health.FINE] * 4
    assert found["key"].found == "known to the vendor, which gives 2 bars in a minute of last week"
    assert found["plan"].found.endswith("more than Developer has")
    assert found["clock"].found.endswith("same as the vendor's")
    assert requests == 3


@pytest.mark.parametrize(("years", "plan", "requests"), [(3, "Starter", 2), (8, "Developer", 3)])
def test_how_far_back_the_plan_reaches_is_told_by_its_name_and_day(asked, years, plan, requests):
    found, taken = asked(f"plan-date:before={years_ago(years)}")

    assert found["plan"].health is Health.FINE
    assert f"as in {plan}" in found["plan"].found
    assert str(datetime.now(UTC).year - {"Starter": 5, "Developer": 10}[plan]) in found["plan"].found
    assert taken == requests


@pytest.mark.parametrize(
    ("fault", "topic", "verdict", "words"),
    [
        ("unknown-key", "key", Health.WRONG, ("the vendor does not know it (the vendor answered 401", "Copy the key")),
        ("plan-seconds", "plan", Health.WRONG, ("no 1-second bars of last week (the vendor answered 403", "Starter")),
        ("rate-limit", "vendor", Health.WARNING, ("too many requests", "MASSIVE_REQUESTS_PER_MINUTE")),
        ("server-error", "vendor", Health.WRONG, ("the vendor answered 500", "Try again")),
        ("html-200", "vendor", Health.WRONG, ("JSON", "check the network")),
        ("not-found", "vendor", Health.WRONG, ("the vendor answered 404", "The same request is refused again")),
        ("reset", "vendor", Health.WRONG, ("cannot be reached, or the connection broke", "MASSIVE_BASE_URL")),
    ],
)
def test_an_ailment_of_the_vendor_is_told_with_its_cure_after_one_request(asked, fault, topic, verdict, words):
    told, requests = asked(fault)

    assert told[topic].health is verdict
    assert words[0] in told[topic].found
    assert words[1] in told[topic].cure
    assert requests == 1


def test_a_vendor_that_fails_at_the_second_question_leaves_the_reach_unknown(asked):
    found, requests = asked("server-error:window=2")

    assert (found["key"].health, found["plan"].health) == (Health.FINE, Health.WARNING)
    assert "how far back it reaches is unknown" in found["plan"].found
    assert requests == 2


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (0.4, Health.FINE, "same as the vendor's"),
        (-4.9, Health.FINE, "same as the vendor's"),
        (7, Health.WARNING, "7 s ahead of the vendor's"),
        (-59, Health.WARNING, "59 s behind the vendor's"),
        (-3600, Health.WRONG, "3,600 s behind the vendor's"),
        (None, Health.WARNING, "not compared"),
    ],
)
def test_a_clock_that_is_off_is_told_in_seconds(ahead, verdict, words):
    found = diagnostics.clock_error(ahead, NOW)

    assert found.health is verdict
    assert words in found.found
    assert found.found.startswith("2025-06-16 12:00:00Z")


def test_a_clock_an_hour_behind_is_found_by_asking(asked):
    found, _ = asked(ahead=-3600)

    assert found["clock"].health is Health.WRONG
    assert "NTP" in found["clock"].cure
