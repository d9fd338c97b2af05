"""Each thing the doctor looks at: quiet where it is well, and each ailment told with its cure."""

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from packaging.specifiers import SpecifierSet

from mohlcv_dagster import whole_files
from mohlcv_dagster.cli import up
from mohlcv_dagster.cli.examinations import folder, home, machine, settings, vendor
from mohlcv_dagster.cli.examinations.finding import Verdict
from mohlcv_dagster.cli.homes import Home
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy

KEY = "a-key-that-no-word-holds"
NOW = datetime(2025, 6, 16, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(QuietSpy()) as sandbox:
        yield sandbox


@pytest.fixture
def asked(sandbox):
    """What the vendor examination finds, by topic, and how many requests it took."""
    sandbox.clear()

    def made(*faults, ahead=0.0):
        sandbox.inject(*faults)
        clock = replace(Clock(), now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
        found = {each.topic: each for each in vendor.examine(KEY, sandbox.url, clock)}
        return found, len(sandbox.requests)

    return made


def years_ago(years):
    return f"{datetime.now(UTC).year - years}-01"


def test_all_is_well_with_a_vendor_that_gives_all_and_it_took_three_requests(asked):
    found, requests = asked()

    assert [each.verdict for each in found.values()] == [Verdict.FINE] * 4
    assert found["key"].found == "known to the vendor, which gives 2 bars in a minute of last week"
    assert found["plan"].found.endswith("more than Developer has")
    assert found["clock"].found.endswith("as the vendor's")
    assert requests == 3


@pytest.mark.parametrize(("years", "plan", "requests"), [(3, "Starter", 2), (8, "Developer", 3)])
def test_how_far_back_the_plan_reaches_is_told_by_its_name_and_day(asked, years, plan, requests):
    found, taken = asked(f"plan-date:before={years_ago(years)}")

    assert found["plan"].verdict is Verdict.FINE
    assert f"as {plan} has them" in found["plan"].found
    assert str(datetime.now(UTC).year - {"Starter": 5, "Developer": 10}[plan]) in found["plan"].found
    assert taken == requests


@pytest.mark.parametrize(
    ("fault", "topic", "verdict", "words"),
    [
        ("unknown-key", "key", Verdict.WRONG, ("the vendor does not know it (the vendor answered 401", "Copy the key")),
        ("plan-seconds", "plan", Verdict.WRONG, ("no second bars of last week (the vendor answered 403", "Starter")),
        ("rate-limit", "vendor", Verdict.WARNING, ("too many requests", "MASSIVE_REQUESTS_PER_MINUTE")),
        ("server-error", "vendor", Verdict.WRONG, ("the vendor answered 500", "Try again")),
        ("html-200", "vendor", Verdict.WRONG, ("JSON", "check the network")),
        ("reset", "vendor", Verdict.WRONG, ("cannot be reached, or the connection broke", "MASSIVE_BASE_URL")),
    ],
)
def test_an_ailment_of_the_vendor_is_told_with_its_cure_after_one_request(asked, fault, topic, verdict, words):
    told, requests = asked(fault)

    assert told[topic].verdict is verdict
    assert words[0] in told[topic].found
    assert words[1] in told[topic].cure
    assert requests == 1


def test_a_vendor_that_fails_at_the_second_question_leaves_the_reach_unknown(asked):
    found, requests = asked("server-error:window=2")

    assert (found["key"].verdict, found["plan"].verdict) == (Verdict.FINE, Verdict.WARNING)
    assert "how far back it reaches is not known" in found["plan"].found
    assert requests == 2


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (0.4, Verdict.FINE, "as the vendor's"),
        (-4.9, Verdict.FINE, "as the vendor's"),
        (7, Verdict.WARNING, "7 s ahead of the vendor's"),
        (-59, Verdict.WARNING, "59 s behind the vendor's"),
        (-3600, Verdict.WRONG, "3,600 s behind the vendor's"),
        (None, Verdict.WARNING, "not compared"),
    ],
)
def test_a_clock_that_is_off_is_told_in_seconds(ahead, verdict, words):
    found = vendor.clocks(ahead, NOW)

    assert found.verdict is verdict
    assert words in found.found
    assert found.found.startswith("2025-06-16 12:00:00Z")


def test_a_clock_an_hour_behind_is_found_by_asking(asked):
    found, _ = asked(ahead=-3600)

    assert found["clock"].verdict is Verdict.WRONG
    assert "NTP" in found["clock"].cure


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


def test_versions_within_their_bounds_are_one_line_and_others_are_named():
    installed = {"dagster": "1.13.27", "pandas": "1.5.3"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    good = list(machine.versions(["dagster<1.14,>=1.13.20"], SpecifierSet(">=3.11"), version))
    assert [(found.verdict, "dagster 1.13.27" in found.found) for found in good] == [(Verdict.FINE, True)]
    needed = ["dagster<1.14,>=1.13.20", "pandas<4,>=2.2", "isal>=1.7", 'never; python_version < "3"']
    bad = list(machine.versions(needed, SpecifierSet(">=99"), version))
    assert [found.found.partition(" (")[0] for found in bad][1:] == [
        "pandas 1.5.3 is not <4,>=2.2",
        "isal is not installed",
    ]
    assert bad[0].found.endswith("is not >=99")
    assert {found.verdict for found in bad} == {Verdict.WRONG}


def test_this_installation_is_within_the_bounds_of_the_package():
    assert [found.verdict for found in machine.examine()] == [Verdict.FINE, Verdict.FINE]


def test_zones_that_are_not_there_or_know_no_summer_time_are_wrong(monkeypatch):
    monkeypatch.setattr(machine, "_EASTERN", "America/Nowhere")
    assert machine.time_zones().verdict is Verdict.WRONG
    monkeypatch.setattr(machine, "_EASTERN", "Etc/GMT+5")
    assert "summer time" in machine.time_zones().found


def test_a_full_disk_is_told_before_it_is_full(monkeypatch, tmp_path):
    def left(size):
        monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: type("Usage", (), {"free": size}))
        return folder.free(tmp_path).verdict

    assert [left(size) for size in (2e9, 5e8, 5e7)] == [Verdict.FINE, Verdict.WARNING, Verdict.WRONG]


def test_a_disk_that_does_not_flush_is_told_and_nothing_is_left_behind(monkeypatch, tmp_path):
    assert folder.writable(tmp_path).verdict is Verdict.FINE

    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folder.os, "fsync", refuse)
    found = folder.writable(tmp_path)
    assert (found.verdict, found.found) == (Verdict.WRONG, f"{tmp_path} cannot be written: Input/output error")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_as_the_layout_has_it_is_quiet_and_what_is_not_is_named(tmp_path):
    def put(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()

    host = whole_files.HOST
    put("raw_1s/SPY/SPY_2024_01.csv", "aggregated/15s/SPY_2024_01_15s.csv", "quality/coverage.parquet", "README.md")
    put(f"raw_1s/SPY/.SPY_2024_02.csv.{host}-{os.getpid()}-0123abcd.part")  # its writer lives: this process
    assert [(found.verdict, found.found) for found in folder.contents(tmp_path)] == [
        (Verdict.FINE, f"2 files of bars in {tmp_path}")
    ]

    put(f"raw_1s/SPY/.SPY_2024_03.csv.{host}-999999999-0123abcd.part")
    put("raw_1s/SPY/SPY-2024-01.csv", "aggregated/1min/SPY_2024_13_1min.csv", "raw_1s/QQQ/SPY_2024_01.csv")
    put("raw_1s/BACPB/BACPB_2024_01.csv", "raw_1s/BACpB/BACpB_2024_01.csv")
    told = [found.found for found in folder.contents(tmp_path) if found.verdict is Verdict.WARNING]
    assert [found.partition(" (")[0] for found in told] == ["1 unfinished file", "3 files", "1 pair"]
    assert ".SPY_2024_03.csv" in told[0]
    assert "raw_1s/QQQ/SPY_2024_01.csv" in told[1]
    assert "raw_1s/BACPB/BACPB_2024_01.csv and raw_1s/BACpB/BACpB_2024_01.csv" in told[2]


def test_a_data_folder_that_is_a_file_is_wrong_and_one_that_is_not_there_is_not(tmp_path):
    (tmp_path / "file").touch()

    assert [found.verdict for found in folder.examine(str(tmp_path / "file/data"), offline=False)] == [Verdict.WRONG]
    found = list(folder.examine(str(tmp_path / "absent/data"), offline=False))
    assert [each.verdict for each in found] == [Verdict.FINE] * 3
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("url", "offline", "verdict"),
    [
        ("memory://bars", False, Verdict.FINE),
        ("memory://bars", True, Verdict.FINE),
        ("nostore://bars", False, Verdict.WRONG),
    ],
)
def test_a_store_behind_a_url_is_asked_unless_offline(url, offline, verdict):
    assert [found.verdict for found in folder.examine(url, offline=offline)] == [verdict]


def test_a_store_that_does_not_answer_is_told_with_what_it_said(monkeypatch):
    def away(*_, **__):
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(MemoryFileSystem, "exists", away)
    [found] = folder.examine("memory://bars", offline=False)

    assert (found.verdict, found.found) == (
        Verdict.WRONG,
        "memory://bars does not answer: ConnectionError: nobody is there",
    )
    assert [each.verdict for each in folder.examine("memory://bars", offline=True)] == [Verdict.FINE]


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


def test_the_command_tells_all_leaves_with_one_where_something_is_wrong_and_changes_nothing(mohlcv, project, sandbox):
    (project / ".env").write_text(f"MASSIVE_BASE_URL={sandbox.url}\n")
    said = mohlcv("doctor")

    assert said.code == 1
    assert "✗ key          MASSIVE_API_KEY is not set" in said.out
    assert "! vendor       not asked about key, plan and clock: MASSIVE_API_KEY is not set" in said.out
    assert "1 wrong, 1 warning," in said.out
    assert [path.name for path in project.iterdir()] == [".env"]


def test_the_command_is_well_with_a_key_and_gives_the_same_as_a_document(mohlcv, project, sandbox):
    sandbox.clear()
    (project / ".env").write_text(f"MASSIVE_BASE_URL={sandbox.url}\nMASSIVE_API_KEY={KEY}\n")
    said = mohlcv("doctor", "--json")
    told = json.loads(said.out)

    assert (said.code, said.err, told["healthy"]) == (0, "", True)
    assert {finding["topic"] for finding in told["findings"]} == {
        *("key", "setting", "versions", "time zones", "disk", "data folder", "home", "vendor", "plan", "clock"),
    }
    assert all(set(finding) == {"topic", "verdict", "found", "cure"} for finding in told["findings"])
    assert KEY not in said.out
    assert len(sandbox.requests) == 3
    sandbox.clear()
    assert mohlcv("doctor", "--offline").code == 0
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("MASSIVE_API_KEY=two words\n", "not asked: the key cannot be sent"),
        ("MASSIVE_BASE_URL=nowhere\n", "not asked: MASSIVE_BASE_URL cannot be used"),
        ("MASSIVE_CONCURRENCY=many\n", "MASSIVE_CONCURRENCY='many' cannot be used"),
    ],
)
def test_settings_that_keep_every_other_command_from_working_are_told_here(mohlcv, project, lines, words):
    (project / ".env").write_text(lines)
    said = mohlcv("doctor")

    assert (said.code, said.err) == (1, "")
    assert words in said.out


def test_an_env_file_that_cannot_be_read_is_told(mohlcv, project):
    (project / ".env").write_text("MASSIVE_API_KEY=a\n", encoding="utf-16")
    said = mohlcv("doctor", "--json")

    assert said.code == 1
    assert ".env cannot be read" in json.loads(said.out)["findings"][0]["found"]


def test_nothing_is_asked_of_anybody_else(mohlcv, project, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert mohlcv("doctor", "--offline").code == 1
