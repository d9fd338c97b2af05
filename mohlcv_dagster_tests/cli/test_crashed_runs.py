"""Runs of killed commands are marked as failed; Ctrl-C is noticed wherever in a run it comes."""

import os
import signal
import uuid

import dagster as dg
import pytest
from dagster._utils.interrupts import capture_interrupts

from mohlcv_dagster.cli import crashed_runs
from mohlcv_dagster.cli.crashed_runs import watching_for_interrupts
from mohlcv_dagster.storage.archive import Archive


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


@pytest.mark.slow
@pytest.mark.usefixtures("vendor")
def test_a_run_that_was_taken_for_dead_and_goes_on_writes_the_same_file_and_record(
    mohlcv, memory, project, monkeypatch
):
    words = ("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31")
    assert mohlcv(*words).code == 0
    files = sorted(path for path in (project / "data").rglob("*.csv"))
    due = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    write, marked = Archive.write, []

    def taken_for_dead(*arguments, **options):
        with memory.instance() as instance:
            for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
                instance.report_run_failed(run, "silent")
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
                marked.append(run.run_id)
        return write(*arguments, **options)

    monkeypatch.setattr(Archive, "write", taken_for_dead)
    said = mohlcv(*words)

    assert marked
    assert [path.read_bytes() for path in files] == due
    with memory.instance() as instance:
        assert instance.get_run_by_id(marked[0]).is_finished
        assert instance.event_log_storage.get_concurrency_run_ids() == set()
    monkeypatch.undo()
    assert said.code == 0, said
    assert "stored" in mohlcv("plan", *words[1:]).out
