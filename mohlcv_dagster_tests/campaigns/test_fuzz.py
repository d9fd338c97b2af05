"""Readers of what comes from outside are given mutated bytes; among the slow tests, towards new branches."""

import importlib.util
import random
import subprocess
import sys
from itertools import islice

import pytest

from mohlcv_dagster_tests.campaigns import fuzz, fuzz_targets


@pytest.fixture(autouse=True)
def _own_env_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz_targets, "ENV_FOLDER", tmp_path)


@pytest.mark.parametrize("name", fuzz.NAMES)
def test_what_is_accepted_of_mutated_bytes_a_strict_reader_accepts_with_the_same_values(name):
    target = fuzz_targets.TARGETS[name]
    for seed in target.seeds:
        target.check(seed)
    for content in islice(fuzz.mutated(target.seeds, target.longest, random.Random(name)), 150):  # noqa: S311 - the same each day
        target.check(content)


def test_every_target_is_named_without_loading_what_it_reads():
    assert tuple(fuzz_targets.TARGETS) == fuzz.NAMES


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is made for Linux")
def test_no_input_on_the_way_to_new_branches_is_misread_or_ends_in_a_crash_or_takes_too_long():
    command = [sys.executable, "-m", "mohlcv_dagster_tests.campaigns", "fuzz", "--runs", "3000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"{3000 * len(fuzz.NAMES):,} executions"
