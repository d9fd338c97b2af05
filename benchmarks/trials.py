"""Starting workers, in turn, and keeping what they tell: the one place where processes are timed from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.case import Case

PATIENCE = 1800.0
"""Seconds after which a process is taken for stuck."""


@dataclass(frozen=True)
class Trial:
    """What one run took.

    Attributes:
        seconds: wall time.
        cpu: seconds of CPU, user and system; its children's too where it was timed from outside.
        peak: bytes held at the most.
        proof: what must be equal for every way; empty where it was not asked for.
        told: what else the way told.
    """

    seconds: float
    cpu: float
    peak: int
    proof: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Runs of one way at one stage; the figures are medians, the peak is the highest.

    Attributes:
        trials: in the order they were run.
    """

    trials: Sequence[Trial]

    @property
    def seconds(self) -> float:
        """Wall time."""
        return median(trial.seconds for trial in self.trials)

    @property
    def fastest(self) -> float:
        """Wall time of the quickest, where there are several; 0 where there is one."""
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
    told, _, _ = _worker([way, name, case.to_json(), *(["prove"] if prove else [])])
    return Trial(told["seconds"], told["cpu"], told["peak"], told["proof"])


def process(way: str, task: str, case: Case, environment: Mapping[str, str] | None = None) -> Trial:
    """A whole job timed from the start of its process to the end."""
    told, seconds, cpu = _worker([way, task, case.to_json()], environment)
    return Trial(seconds, cpu, told["peak"], told=told["told"])


def in_turn(ways: Mapping[str, Callable[[bool], Trial]], runs: int, once: Sequence[str] = ()) -> dict[str, Series]:
    """Run every way, then every way again, `runs` times: A B A B, never A A B B.

    Args:
        ways: by name; called with whether to prove the result, which the first run of each does.
        runs: how often.
        once: the ways that run in the first turn only.

    Raises:
        AssertionError: two ways gave different results: then no time of theirs is worth a word.
    """
    trials: dict[str, list[Trial]] = {name: [] for name in ways}
    for turn in range(runs):
        for name, run in ways.items():
            if turn == 0 or name not in once:
                trials[name].append(run(turn == 0))
        if turn == 0:
            same({name: trials[name][0].proof for name in ways})
    return {name: Series(found) for name, found in trials.items()}


def same(proofs: Mapping[str, str]) -> None:
    """Demand that all proofs that were given are equal.

    Raises:
        AssertionError: they are not; the message says which way gave what.
    """
    given = {name: proof for name, proof in proofs.items() if proof}
    if len(set(given.values())) > 1:
        raise AssertionError(f"the ways disagree, nothing is timed: {given}")


def surroundings(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a measured process: this one's and `more`, with byte code kept as Python does by default.

    Where it is not kept, each process compiles all that it imports, and measures that.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | dict(more or {})


def _worker(words: list[str], environment: Mapping[str, str] | None = None) -> tuple[dict[str, Any], float, float]:
    """What a worker told, its wall time and the CPU of it and its children."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.worker", *words],
        stdout=subprocess.PIPE,
        env=surroundings(environment),
        timeout=PATIENCE,
        check=False,
    )
    seconds, after = time.perf_counter() - began, os.times()
    if done.returncode:
        raise RuntimeError(f"a worker left with {done.returncode}: {words[:2]}; what it said stands above")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told, seconds, cpu
