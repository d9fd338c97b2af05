"""What is true of a copy of the project on which a recipe of CONTRIBUTING was carried out. No test.

`test_recipes` runs `python -m mohlcv_dagster_tests.docs.recipe_proofs NAME TEST…` there: the proof, then some of the
project's own tests, by file or by name. What only the recipe brings is looked up when its proof runs.
"""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from mohlcv_dagster import errors, settings
from mohlcv_dagster.bars import csv_codec, resample
from mohlcv_dagster.checks import registry
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.runner import check_file
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster_tests.checks import form_scoreboard
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE

SPY = BarFile("SPY", RAW, Month(2024, 1))


def failing(file, content, raw=None):
    return {found.rule.name for found in check_file(CheckInput.of(file, content, raw=raw)) if not found.passed}


def checks_with(timeframe, name):
    return [check.name for check in registry.checks_for(timeframe) if name in {rule.name for rule in check.rules}]


def new_rule():
    """It is listed once, belongs to one check of every file, and fails on a file that breaks it and on no other."""
    name = "within_open_hours"
    assert [rule.name for rule in registry.RULES].count(name) == 1
    assert checks_with(RAW, name) == ["valid"]
    assert checks_with(timeframes.parse("15s"), name) == ["matches_raw"]
    first = b"02 14:30:00"
    for moment, fails in {"01:59:59": False, "02:00:00": True, "06:59:59": True, "07:00:00": False}.items():
        assert (name in failing(SPY, WHOLE.replace(first, f"02 {moment}".encode()))) == fails
    page = Path("docs/checks.md")
    page.write_text(form_scoreboard.filled(page.read_text(encoding="utf-8")), encoding="utf-8")  # as the command does


def new_timeframe():
    """It resamples, its files are checked, and it is an asset where the settings name it."""
    from mohlcv_dagster.definitions import build  # noqa: PLC0415 - the other proofs need no Dagster
    from mohlcv_dagster_tests.model import test_timeframes  # noqa: PLC0415 - as above

    test_timeframes.test_the_nine_timeframes_of_the_original_are_offered_by_name_and_length()
    test_timeframes.test_every_timeframe_divides_a_day_and_they_rise()
    longer = timeframes.parse("90s")
    file = BarFile("SPY", longer, Month(2024, 1))
    content = csv_codec.encode(resample.resample(csv_codec.decode(WHOLE), longer))
    assert (
        content == HEADER + b"2024-01-02 14:30:00+00:00,475.32,475.5,475.2,475.3,16654\n"
    )  # 52,200 s are 580 times 90
    assert failing(file, content, WHOLE) == {"as_recorded"}  # nothing was recorded of it
    assert "equals_recomputation" in failing(file, content.replace(b"475.3,16654", b"475.2,16654"), WHOLE)

    graph = build(settings.Settings.from_environment({"MOHLCV_TIMEFRAMES": "90s"})).resolve_asset_graph()
    keys = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
    assert "aggregated/90s" in keys
    made = {key.name for key in graph.asset_check_keys if key.asset_key == keys["aggregated/90s"]}
    assert made == {check.name for check in registry.checks_for(longer)} == {"intact", "matches_raw"}


def new_provider_fault():
    """It is final: asked for once, and no other month of the run is tried."""
    from mohlcv_dagster.defs import failures  # noqa: PLC0415 - as above
    from mohlcv_dagster.providers.massive.provider import MassiveProvider  # noqa: PLC0415 - as above
    from mohlcv_dagster.sandbox import FAULT_KINDS, InjectedFault, Sandbox, SyntheticMarket  # noqa: PLC0415 - as above

    due = errors.PaymentDueError
    assert issubclass(due, errors.VendorRefusedError)
    assert due in failures.INESCAPABLE
    assert "payment-due" in FAULT_KINDS
    with Sandbox(SyntheticMarket()) as sandbox, MassiveProvider("key", sandbox.url, concurrency=1) as provider:
        sandbox.inject(InjectedFault.parse("payment-due"))
        with pytest.raises(errors.VendorError) as refused:
            provider.fetch_month("SPY", Month(2024, 1))
    name, status, words = expected_refusals()["payment-due"]
    assert (refused.type.__name__, refused.value.status) == (name, status) == ("PaymentDueError", 402)
    assert words in str(refused.value)
    assert "tried" not in str(refused.value)
    assert "| `payment-due` | 402: an invoice is not paid | all |" in Path("docs/sandbox.md").read_text(
        encoding="utf-8"
    )


def expected_refusals():
    """`REFUSED` of the test of all faults, which takes a while to import."""
    tree = ast.parse(Path("mohlcv_dagster_tests/defs/test_faults.py").read_text(encoding="utf-8"))
    [value] = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "REFUSED"]
    return ast.literal_eval(value)


def new_setting():
    """It is read, refused where it is invalid, handed to the provider, and on the page that is made by code."""
    from mohlcv_dagster.providers import create  # noqa: PLC0415 - as above
    from mohlcv_dagster_tests import settings_page  # noqa: PLC0415 - as above

    given = {"MASSIVE_ATTEMPT_SECONDS": "7", "MASSIVE_API_KEY": "key"}
    assert settings.Settings.from_environment({}).attempt_seconds == 60
    assert create.provider(settings.Settings.from_environment(given)).retry.attempt_seconds == 7
    page = settings_page.page()
    assert "\n## MASSIVE_ATTEMPT_SECONDS\n" in page
    assert "> MASSIVE_ATTEMPT_SECONDS='0' cannot be used: write a whole number of seconds, at least 1" in page
    Path("docs/settings.md").write_text(page, encoding="utf-8")  # as the recipe's command does


def new_store():
    """Its test passes, and a change of the key that the recipe adds is a change of the file."""
    importlib.import_module(
        "mohlcv_dagster_tests.storage.test_my_store"
    ).test_an_archive_is_written_listed_and_read_back()
    from types import SimpleNamespace  # noqa: PLC0415 - as above

    from mohlcv_dagster.storage.locations import status_of  # noqa: PLC0415 - as above

    about = {"size": 3, "generation": 7}
    store = SimpleNamespace(info=lambda path: {"name": path, **about}, invalidate_cache=lambda path: None)
    assert status_of(SimpleNamespace(fs=store, path="bars/a.csv")).stamp == "7"


if __name__ == "__main__":
    _, proof, *tests = sys.argv
    globals()[proof]()
    sys.exit(pytest.main(["-q", "-n0", "-p", "no:cacheprovider", *tests]) if tests else 0)
