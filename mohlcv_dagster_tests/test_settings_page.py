from pathlib import Path

import pytest

from mohlcv_dagster.settings import CALENDAR, SETTINGS, Settings
from mohlcv_dagster_tests import settings_page
from mohlcv_dagster_tests.settings_page import TOLD

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"


def test_the_page_is_what_the_settings_say():
    assert PAGE.read_text(encoding="utf-8") == settings_page.page()


def test_every_setting_is_told_of_and_nothing_else():
    assert set(TOLD) == set(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_each_setting_stands_there_with_an_example_that_is_read(setting):
    Settings.from_environment({setting.variable: TOLD[setting].example})

    section = PAGE.read_text(encoding="utf-8").split(f"\n## {setting.variable}\n")[1].split("\n## ")[0]
    assert f"```ini\n{setting.variable}={TOLD[setting].example}\n```" in section


@pytest.mark.parametrize("setting", [each for each in SETTINGS if TOLD[each].refused], ids=lambda each: each.variable)
def test_what_is_refused_is_told_by_the_name_of_the_variable(setting):
    assert settings_page.refusal(setting, TOLD[setting].refused).startswith(setting.variable)


def test_a_value_that_is_not_refused_does_not_pass_for_one_that_is():
    with pytest.raises(AssertionError, match="not refused"):
        settings_page.refusal(CALENDAR, "days.txt")
