from datetime import date

import pytest

from mohlcv_dagster import calendar_file
from mohlcv_dagster.definitions import build
from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.settings import Settings


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
        calendar_file.apply_overrides(settings(own))
    assert str(refused.value).startswith(f"{own} (MOHLCV_CALENDAR), line 2: 'shut' is invalid: write closed")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["absent", "not text"])
def test_a_file_that_cannot_be_read_is_told_with_its_name_and_the_cure(tmp_path, content):
    own = tmp_path / "days.txt"
    if content is not None:
        own.write_bytes(content)

    with pytest.raises(CalendarError, match=r"MOHLCV_CALENDAR=.*days\.txt.*cannot be read.*leave the variable empty"):
        calendar_file.apply_overrides(settings(own))
