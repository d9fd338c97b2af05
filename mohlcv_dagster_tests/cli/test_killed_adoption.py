"""`mohlcv adopt --rewrite` and `mohlcv verify`, ended by Ctrl-C and by kill -9 in processes of their own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster_tests.storage.old_trees import FAULTY, put, put_tree

MOHLCV = Path(sys.executable).with_name("mohlcv")
HALF = FAULTY["half file"]
PATIENCE = 110


def contents(project):
    data = project / "data"
    return {str(at.relative_to(data)): at.read_bytes() for at in data.rglob("*.csv")}


def begun(project, *words):
    return subprocess.Popen([MOHLCV, *words], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def journal(project):
    at = project / "data/manifest/rewritten.txt"
    return at.read_text().count("\n") if at.exists() else 0


def entries(project):
    return len(list((project / "data/manifest").rglob("*.json")))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_adopt_that_is_ended_again_and_again_leaves_a_tree_that_the_next_run_completes(project, monkeypatch, how):
    due = put_tree(project / "data")
    before = contents(project)
    moments = [lambda: journal(project) >= 1, lambda: journal(project) >= 4, lambda: entries(project) >= 3]
    for is_time in moments:
        process = begun(project, "adopt", "--rewrite")
        while not is_time() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(how)
        code, _, _ = ended(process)
        assert code in {-signal.SIGKILL, 130, 1}
        now = contents(project)
        assert [path for path in due if now[path] not in {before[path], due[path]}] == []

    code, out, err = ended(begun(project, "adopt", "--rewrite", "--json"))
    assert (code, err) == (1, "")
    assert contents(project) == due | {HALF: before[HALF]}
    told = json.loads(out)
    assert [each["path"] for each in told["files"] if each["failing checks"]] == [HALF]
    _, out, _ = ended(begun(project, "adopt", "--rewrite"))
    assert "Nothing to do" in out
    _, out, _ = ended(begun(project, "verify", "--json"))
    assert [each["path"] for each in json.loads(out)["differences"]] == [HALF]
    monkeypatch.setenv("DAGSTER_HOME", str(project / ".mohlcv/home"))
    with dg.DagsterInstance.from_config(str(project / ".mohlcv/home")) as instance:
        assert {run.status for run in instance.get_runs()} <= {
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        }


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_verify_that_is_ended_changes_nothing_and_the_next_one_proves_the_tree(project, how):
    put_tree(project / "data")
    ended(begun(project, "adopt", "--rewrite"))
    put(project, "data/raw_1s/BIG/BIG_2024_01.csv", b"ts_event,open,high,low,close,volume\n" + b"0" * (1 << 29))
    stood = {at: at.stat().st_mtime_ns for at in (project / "data").rglob("*") if at.is_file()}
    process = begun(project, "verify")
    while process.poll() is None and not _reads(process.pid, "BIG_2024_01.csv"):
        time.sleep(0.002)
    process.send_signal(how)
    code, out, err = ended(process)

    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert out == ""
    assert "Traceback" not in err
    assert {at: at.stat().st_mtime_ns for at in (project / "data").rglob("*") if at.is_file()} == stood
    (project / "data/raw_1s/BIG/BIG_2024_01.csv").unlink()
    code, out, _ = ended(begun(project, "verify", "--json"))
    assert (code, [each["path"] for each in json.loads(out)["differences"]]) == (1, [HALF])


def _reads(pid, name):
    """Whether a process has a file of that name open."""
    try:
        return any(name in str(at.readlink()) for at in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
