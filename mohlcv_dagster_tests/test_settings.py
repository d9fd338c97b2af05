from datetime import date

import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.errors import CalendarError, MissingKeyError, MonthError, SettingsError
from mohlcv_dagster.model import exchange_calendar, timeframes
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.settings import API_KEY, SETTINGS, Settings, apply_calendar, is_secret


def test_an_empty_environment_gives_the_contracts_defaults():
    settings = Settings.from_environment({})

    assert settings == Settings(
        api_key=None,
        base_url="https://api.massive.com",
        data_dir="data",
        timeframes=timeframes.parse_list("15s,30s,1min"),
        start=Month(2021, 1),
        start_given=False,
        adjusted=False,
        requests_per_minute=None,
        concurrency=8,
        calendar=None,
    )


@pytest.mark.parametrize(
    ("stored", "start"),
    [
        ("raw_1s/SPY/SPY_2016_03.csv", "2016-03"),
        ("aggregated/1min/BRK.B_2019_11_1min.csv", "2019-11"),
        ("raw_1s/SPY/SPY_2024_01.csv", "2021-01"),
        ("raw_1s/SPY/SPY_1999_01.csv", "2003-09"),
        ("raw_1s/SPY/notes.csv", "2021-01"),
    ],
)
def test_a_month_that_is_stored_has_a_partition_unless_the_user_names_a_later_start(tmp_path, stored, start):
    file = tmp_path / stored
    file.parent.mkdir(parents=True)
    file.touch()
    environment = {"MOHLCV_DATA_DIR": str(tmp_path)}

    assert str(Settings.from_environment(environment).start) == start
    assert str(Settings.from_environment({**environment, "MOHLCV_START": "2022-02"}).start) == "2022-02"


def test_of_a_store_every_month_of_the_vendor_has_a_partition_since_loading_asks_no_network():
    assert str(Settings.from_environment({"MOHLCV_DATA_DIR": "s3://bucket/bars"}).start) == "2003-09"


@pytest.mark.parametrize(
    ("given", "month", "start"),
    [("", "2015-02", "2015-02"), ("", "2024-01", "2021-01"), ("2015-01", "2015-02", "2015-01")],
)
def test_an_earlier_month_that_is_named_has_a_partition_too(given, month, start):
    settings = Settings.from_environment({"MOHLCV_START": given})

    assert str(settings.reaching(Month.parse(month)).start) == start


@pytest.mark.parametrize(("given", "first"), [("", "2003-09"), ("2022-01", "2022-01")])
def test_a_month_before_the_vendors_first_or_the_start_that_was_chosen_is_refused(given, first):
    settings = Settings.from_environment({"MOHLCV_START": given})

    with pytest.raises(MonthError, match=f"2003-08 is before {first}, the first month of MOHLCV_START; set it earlier"):
        settings.reaching(Month(2003, 8))


def test_every_variable_is_read():
    settings = Settings.from_environment(
        {
            "MASSIVE_API_KEY": " k ",
            "MASSIVE_BASE_URL": "http://127.0.0.1:8123/",
            "MOHLCV_DATA_DIR": "s3://bucket/bars",
            "MOHLCV_TIMEFRAMES": "1h, 45s",
            "MOHLCV_START": "2020-02",
            "MASSIVE_ADJUSTED": "TRUE",
            "MASSIVE_REQUESTS_PER_MINUTE": "5",
            "MASSIVE_LIMIT_STORE": "redis://:secret@h/0",
            "MASSIVE_CONCURRENCY": "3",
            "MOHLCV_CALENDAR": " days.txt ",
            "MOHLCV_ALERT_URL": "https://hooks.example/a/b",
            "MOHLCV_ALERT_COMMAND": " mail me ",
            "MOHLCV_ALERT_WARNINGS": "true",
            "MOHLCV_UI_URL": "http://127.0.0.1:3000/",
            "MOHLCV_UI_PASSWORD": "twelve chars",
            "MOHLCV_PARQUET": "1",
        }
    )

    assert settings.require_key() == "k"
    assert settings == Settings(
        api_key="k",
        base_url="http://127.0.0.1:8123",
        data_dir="s3://bucket/bars",
        timeframes=(timeframes.parse("45s"), timeframes.parse("1h")),
        start=Month(2020, 2),
        adjusted=True,
        requests_per_minute=5,
        limit_store="redis://:secret@h/0",
        concurrency=3,
        calendar="days.txt",
        alert_url="https://hooks.example/a/b",
        alert_command="mail me",
        alert_warnings=True,
        ui_url="http://127.0.0.1:3000",
        ui_password="twelve chars",  # noqa: S106 - of the test
        parquet=True,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MASSIVE_BASE_URL", "api.massive.com"),
        ("MASSIVE_BASE_URL", "ftp://api.massive.com"),
        ("MASSIVE_BASE_URL", "http://127.0.0.1:8199x"),
        ("MASSIVE_BASE_URL", "http://127.0.0.1:0"),
        ("MASSIVE_BASE_URL", "http://127.0.0.1:70000"),
        ("MOHLCV_TIMEFRAMES", "15s,7s"),
        ("MOHLCV_TIMEFRAMES", ","),
        ("MOHLCV_START", "2020-13"),
        ("MOHLCV_START", "January 2020"),
        ("MASSIVE_ADJUSTED", "maybe"),
        ("MASSIVE_REQUESTS_PER_MINUTE", "0"),
        ("MASSIVE_REQUESTS_PER_MINUTE", "5.5"),
        ("MASSIVE_REQUESTS_PER_MINUTE", "\u0665"),  # a five, but not of ASCII
        ("MASSIVE_CONCURRENCY", "\u0663"),
        ("MASSIVE_CONCURRENCY", "0"),
        ("MASSIVE_CONCURRENCY", "1000"),
    ],
)
def test_an_invalid_value_is_refused_with_variable_and_value(variable, value):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({variable: value})

    assert f"{variable}={value!r}" in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MASSIVE_BASE_URL", "https://user:hush@api.massive.com"),
        ("MASSIVE_BASE_URL", "https://:hush@api.massive.com"),
        ("MASSIVE_BASE_URL", "https://api.massive.com?apiKey=hush"),
        ("MASSIVE_BASE_URL", "https://api.massive.com#hush"),
        ("MASSIVE_BASE_URL", "ftp://user:hush@api.massive.com"),
        ("MOHLCV_DATA_DIR", "sftp://user:hush@files.example/bars"),
        ("MOHLCV_UI_PASSWORD", "hush"),
    ],
)
def test_a_secret_in_an_address_is_refused_without_being_shown(variable, value):
    with pytest.raises(SettingsError, match=variable) as refused:
        Settings.from_environment({variable: value})

    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_missing_key_is_told_with_the_file_and_the_variable_that_cure_it():
    with pytest.raises(MissingKeyError, match=r"MASSIVE_API_KEY=your_key.*\.env"):
        Settings.from_environment({"MASSIVE_API_KEY": "  "}).require_key()


def test_the_key_is_not_in_the_repr():
    assert "hush" not in repr(Settings.from_environment({"MASSIVE_API_KEY": "hush"}))


def test_a_secret_is_what_the_repr_leaves_out():
    shown = repr(Settings.from_environment({}))

    for setting in SETTINGS:
        name = setting.variable.partition("_")[2].lower()
        assert is_secret(setting) is (f"{name}=" not in shown), setting.variable
    assert is_secret(API_KEY)


def test_the_settings_are_those_of_the_contract():
    assert {setting.variable for setting in SETTINGS} == {
        "MASSIVE_API_KEY",
        "MASSIVE_BASE_URL",
        "MOHLCV_DATA_DIR",
        "MOHLCV_TIMEFRAMES",
        "MOHLCV_START",
        "MASSIVE_ADJUSTED",
        "MASSIVE_REQUESTS_PER_MINUTE",
        "MASSIVE_LIMIT_STORE",
        "MASSIVE_CONCURRENCY",
        "MOHLCV_CALENDAR",
        "MOHLCV_ALERT_URL",
        "MOHLCV_ALERT_COMMAND",
        "MOHLCV_ALERT_WARNINGS",
        "MOHLCV_UI_URL",
        "MOHLCV_UI_PASSWORD",
        "MOHLCV_PARQUET",
        "MOHLCV_HISTORY",
    }


@pytest.fixture(autouse=True)
def _the_exchanges_own_days_afterwards():
    yield
    exchange_calendar.set_overrides({})


def settings(calendar):
    return Settings.from_environment({"MOHLCV_CALENDAR": str(calendar)})


def test_the_overrides_of_the_file_apply_once_a_location_is_built_and_are_gone_with_the_next(tmp_path):
    own = tmp_path / "days.txt"
    own.write_text("2024-01-09 closed\n")

    build(settings(own))
    assert exchange_calendar.session_on(date(2024, 1, 9)) is None
    build(settings(""))
    assert exchange_calendar.session_on(date(2024, 1, 9)) is not None


def test_an_invalid_line_is_reported_with_the_file_and_the_variable_that_names_it(tmp_path):
    own = tmp_path / "days.txt"
    own.write_text("2024-01-09 closed\n2024-01-10 shut\n")

    with pytest.raises(CalendarError) as refused:
        apply_calendar(settings(own))
    assert str(refused.value).startswith(f"{own} (MOHLCV_CALENDAR), line 2: 'shut' is invalid: write closed")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["absent", "not text"])
def test_a_file_that_cannot_be_read_is_told_with_its_name_and_the_cure(tmp_path, content):
    own = tmp_path / "days.txt"
    if content is not None:
        own.write_bytes(content)

    with pytest.raises(CalendarError, match=r"MOHLCV_CALENDAR=.*days\.txt.*cannot be read.*leave the variable empty"):
        apply_calendar(settings(own))
