"""Runs of workers, in turn, timed from outside; and the CPU that a process tree has used, from Linux's `/proc`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.case import Case

TIMEOUT = 1800.0
"""Seconds that a worker may take."""


@dataclass(frozen=True)
class Trial:
    """One run of one way.

    Attributes:
        seconds: wall time.
        cpu: seconds of CPU, user and system; its children's too where it was timed from outside.
        peak: most bytes held.
        proof: a digest that must be equal for every way; empty where it was not asked for.
        more: what else the way reported.
    """

    seconds: float
    cpu: float
    peak: int
    proof: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Runs of one way at one stage; the figures are medians, the peak is the highest."""

    trials: Sequence[Trial]

    @property
    def seconds(self) -> float:
        """Wall time."""
        return median(trial.seconds for trial in self.trials)

    @property
    def fastest(self) -> float:
        """Wall time of the fastest where there are several; 0 where there is one."""
        return min(trial.seconds for trial in self.trials) if len(self.trials) > 1 else 0.0

    @property
    def cpu(self) -> float:
        """Seconds of CPU."""
        return median(trial.cpu for trial in self.trials)

    @property
    def peak(self) -> int:
        """Bytes."""
        return max(trial.peak for trial in self.trials)


def stage(way: str, name: str, case: Case, *, prove: bool = False) -> Trial:
    """A stage timed inside a fresh process: neither its start nor its imports count."""
    report, _, _ = _worker([way, name, case.to_json(), *(["prove"] if prove else [])])
    return Trial(report["seconds"], report["cpu"], report["peak"], report["proof"])


def process(way: str, task: str, case: Case, environment: Mapping[str, str] | None = None) -> Trial:
    """A whole job timed from the start of its process to the end."""
    report, seconds, cpu = _worker([way, task, case.to_json()], environment)
    return Trial(seconds, cpu, report["peak"], more=report["more"])


def in_turn(ways: Mapping[str, Callable[[bool], Trial]], runs: int, once: Sequence[str] = ()) -> dict[str, Series]:
    """Run every way `runs` times, in turn: A B A B, never A A B B.

    Args:
        ways: by name; called with whether to prove the result, which the first run of each does.
        runs: how often.
        once: the ways that run in the first turn only.

    Raises:
        AssertionError: two ways gave different results.
    """
    trials: dict[str, list[Trial]] = {name: [] for name in ways}
    for turn in range(runs):
        for name, run in ways.items():
            if turn == 0 or name not in once:
                trials[name].append(run(turn == 0))
        if turn == 0:
            require_same({name: trials[name][0].proof for name in ways})
    return {name: Series(found) for name, found in trials.items()}


def require_same(proofs: Mapping[str, str]) -> None:
    """Require that all proofs that are not empty are equal.

    Raises:
        AssertionError: they differ; the message has them by way.
    """
    given = {name: proof for name, proof in proofs.items() if proof}
    if len(set(given.values())) > 1:
        raise AssertionError(f"the ways disagree, nothing is timed: {given}")


def process_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a measured process: this one's and `more`, with byte code cached.

    Without the cache each process would compile all that it imports, and measure that.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | dict(more or {})


def _worker(words: list[str], environment: Mapping[str, str] | None = None) -> tuple[dict[str, Any], float, float]:
    """What a worker reported, its wall time, and the CPU of it and its children."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.worker", *words],
        stdout=subprocess.PIPE,
        env=process_environment(environment),
        timeout=TIMEOUT,
        check=False,
    )
    seconds, after = time.perf_counter() - began, os.times()
    if done.returncode:
        raise RuntimeError(f"a worker exited with {done.returncode}: {words[:2]}; its message is above")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report, seconds, cpu


def cpu_of(root: int) -> float:
    """Seconds of CPU, user and system, of a process and its descendants, those that have ended included."""
    stats = _stats()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    tree, left = set(), [root]
    while left:
        pid = left.pop()
        tree.add(pid)
        left += children.get(pid, [])
    return sum(stats[pid][1] for pid in tree if pid in stats) / os.sysconf("SC_CLK_TCK")


def own_cpu_of(pid: int) -> float:
    """Seconds of CPU, user and system, of a process alone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """The living children of a process, the oldest first."""
    return sorted(child for child, (parent, _) in _stats().items() if parent == pid)


def _stats() -> dict[int, tuple[int, int]]:
    """The parent and the clock ticks of each process, with those of children that it waited for."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
            found[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    return found
