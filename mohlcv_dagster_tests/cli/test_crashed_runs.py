"""Runs of killed commands are marked as failed; Ctrl-C is noticed wherever in a run it comes."""

import os
import signal
import uuid

import dagster as dg
import pytest
from dagster._utils.interrupts import capture_interrupts

from mohlcv_dagster.cli import crashed_runs
from mohlcv_dagster.cli.crashed_runs import watching_for_interrupts


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def started(instance, tags):
    run_id = str(uuid.uuid4())
    instance.add_run(dg.DagsterRun("any", run_id, status=dg.DagsterRunStatus.STARTED, tags=dict(tags)))
    return lambda: instance.get_run_by_id(run_id)


def test_a_run_whose_process_is_gone_is_marked_failed_and_those_of_living_ones_are_left_alone(instance, tmp_path):
    gone = started(instance, {crashed_runs.COMMAND: "0" * 32})
    of_the_ui = started(instance, {})
    with crashed_runs.command(instance, tmp_path) as tags:
        living = started(instance, tags)
        with crashed_runs.command(instance, tmp_path):
            assert living().status == dg.DagsterRunStatus.STARTED

    assert gone().status == dg.DagsterRunStatus.FAILURE
    assert of_the_ui().status == dg.DagsterRunStatus.STARTED
    assert [lock.name for lock in (tmp_path / "commands").iterdir()] == ["all.lock"]


def test_an_interrupt_that_dagster_holds_back_and_forgets_is_noticed():
    with watching_for_interrupts() as interrupted, capture_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
    with watching_for_interrupts() as undisturbed:
        pass

    assert (interrupted(), undisturbed()) == (True, False)
