"""Tests are isolated: no setting of the machine reaches them, and what one sets does not reach the next."""

import os
import subprocess
import sys

import pytest

from mohlcv_dagster.cli.dagster_home import Home


@pytest.fixture(scope="module")
def shared():
    os.environ["MOHLCV_SHARED"] = "by the tests of this module"


def test_what_a_command_puts_into_the_environment_holds_for_its_test(tmp_path, shared):
    Home.real(tmp_path).prepare()

    assert os.environ["MOHLCV_DATA_DIR"] == str(tmp_path / "data")
    assert os.environ["MOHLCV_SHARED"]


def test_and_is_gone_in_the_next_while_what_the_module_shares_is_there(shared):
    assert {name for name in os.environ if name.startswith(("MOHLCV_", "DAGSTER_"))} == {"MOHLCV_SHARED"}


SETTINGS = ("MASSIVE_API_KEY", "MOHLCV_DATA_DIR", "DAGSTER_HOME", "POLYGON_API_KEY")


@pytest.mark.parametrize("variable", SETTINGS)
def test_no_setting_of_the_machine_reaches_it(variable):
    assert variable not in os.environ


def test_nor_does_one_that_is_set_when_the_tests_begin():
    name = test_no_setting_of_the_machine_reaches_it.__name__
    words = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"{__file__}::{name}"]
    environment = {**os.environ, **dict.fromkeys(SETTINGS, "of the machine")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert f"{len(SETTINGS)} passed" in done.stdout, done.stdout
