"""Deterministic lives: one seed decides the clock, the vendor, kills, faults of the disk, and two processes.

A life is two symbols in one archive over some years: each month is fetched, completed and fetched again by processes
that fail, die and work at once, from a vendor that is late, corrects, splits, falls silent and garbles. After each
visit every file must be whole, and what is green right; at the end, without faults, all must be as the vendor has it.

`python -m mohlcv_dagster_tests.campaigns life --seeds 1-50` lives fifty; a seed that fails is repeated by `--seeds N`.
"""

import argparse
import hashlib
import logging
import shutil
import sys
import time as machine
import warnings
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.errors import MohlcvError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.month_decision import Action, RunOptions
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, parse
from mohlcv_dagster.providers.massive import companies
from mohlcv_dagster_tests.campaigns import life_process
from mohlcv_dagster_tests.campaigns.life_disk import FAULTS, Actor, Moment, World
from mohlcv_dagster_tests.campaigns.life_judge import Judge, Wrong
from mohlcv_dagster_tests.campaigns.life_process import Process, Wire
from mohlcv_dagster_tests.campaigns.life_records import Records
from mohlcv_dagster_tests.campaigns.life_vendor import made_up

FIRST_YEAR = 2014
TIMEFRAMES = (parse("1min"),)
MEMORY = Path("/dev/shm")  # noqa: S108 - a disk takes milliseconds for each file
CALM = RunOptions()


@dataclass
class Life:
    """One life.

    Attributes:
        seed: decides all of it.
        years: how long it is.
        folder: an empty one.
        real: whether Dagster's own instance remembers what is done, in place of `life_records`.
    """

    seed: int
    years: float
    folder: Path
    real: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.draw = Random(f"life {self.seed}")  # noqa: S311 - it is to be repeated
        first = date(FIRST_YEAR, 1, 1) + timedelta(days=31 * self.draw.randrange(12))
        self.first = Month.of(first.replace(day=1))
        self.months = self._months()
        self.vendor = made_up(self.seed, self.months[0].start.date(), self.months[-1].end.date())
        self.adjusted = self.draw.random() < 0.4
        self.moment = Moment(self.months[0].start)
        self.hash = hashlib.sha256()
        self.steps = 0
        self.lines: list[str] = []
        self.world = World(self.folder, self.moment, self.trace)
        self.wire = Wire(self.vendor, self.moment, self.draw, self.world, self.adjusted)
        self.judge = Judge(self.folder, self.vendor, self.moment, TIMEFRAMES, self.adjusted)
        self.pids = 0

    def _months(self) -> list[Month]:
        months = [self.first]
        while len(months) < round(self.years * 12):
            months.append(months[-1].next())
        return months

    def trace(self, line: str) -> None:
        """Something happened."""
        self.steps += 1
        line = f"{self.steps} {self.moment.now:%Y-%m-%d %H:%M:%S} {line.replace(str(self.folder), '')}"
        self.hash.update(line.encode())
        self.lines = [*self.lines[-60:], line]

    def live(self) -> None:
        """From its first month to the last, and then to rest.

        Raises:
            Wrong: something did not hold; with the seed and the step.
        """
        with ExitStack() as stack:
            self.instance: Any = Records(self.moment)
            if self.real:
                self.instance = stack.enter_context(dg.DagsterInstance.ephemeral())
            self.judge.instance = self.instance
            stack.enter_context(life_process.in_force(self.wire))
            stack.enter_context(self.world.in_force())
            try:
                for month in [*self.months, self.months[-1].next()]:
                    for moment in self._visits(month):
                        self._move(moment)
                        self._visit()
                self._rest()
            except BaseException as error:
                last = "\n".join(self.lines[-25:])
                raise Wrong(f"seed {self.seed}, {self.years:g} years, step {self.steps}: {error!r}\n{last}") from error

    def _visits(self, month: Month) -> list[datetime]:
        """When somebody comes by in a month, at about a quarter past eleven in the morning."""
        days = sorted(self.draw.sample(range(1, 29), self.draw.choice((1, 1, 2))))
        clock = time(11, 15, 10)
        return [datetime.combine(date(month.year, month.month, day), clock, EASTERN).astimezone(UTC) for day in days]

    def _move(self, moment: datetime) -> None:
        self.moment.now = max(moment, self.moment.now)
        for company in self.vendor.companies.values():
            if self.draw.random() < 0.1:  # the vendor corrects a day of the last year
                day = moment.date() - timedelta(days=self.draw.randrange(5, 365))
                entry = (self.moment.now, self.draw.randrange(1, 50))
                company.corrections.setdefault(day, []).append(entry)

    # ---- what is done

    def _visit(self) -> None:
        self.wire.faults = self.draw.choice((0, 0, 0, 0.05, 0.3))
        begun = [month for month in self.months if month.start < self.moment.now]
        chosen = [self._choice(begun, symbol) for symbol in self.vendor.companies]
        works = [work for files in chosen for work in files]
        at_once = 2 if self.draw.random() < 0.25 else 1
        while works:
            some, works = works[:at_once], works[at_once:]
            if at_once == 2 and self.draw.random() < 0.5:
                some = [some[0], some[0]]  # both want the same month
            self._do(some)

    def _choice(self, begun: list[Month], symbol: str) -> list[tuple[BarFile, RunOptions]]:
        if not begun:
            return []
        months = [*begun[-2:], *([self.draw.choice(begun)] if self.draw.random() < 0.3 else [])]
        kept = [month for month in dict.fromkeys(months) if self.draw.random() < 0.8]
        force = self.draw.random() < 0.15
        return [(BarFile(symbol, RAW, month), RunOptions(force=force and month != begun[-1])) for month in kept]

    def _do(self, works: list[tuple[BarFile, RunOptions]]) -> None:
        companies.forget()  # a new process knows none
        actors = [(self._actor(len(works) > 1), file, options) for file, options in works]
        outcomes: list[str] = [""] * len(actors)

        def work(number: int, actor: Actor, file: BarFile, options: RunOptions) -> None:
            process = Process(self.world, self.instance, self.wire, TIMEFRAMES, actor.pid)
            outcomes[number] = process.fetch(file, options)

        ended = self.world.run(
            [
                (actor, lambda number=number, given=given: work(number, *given))  # type: ignore[misc]
                for number, given in enumerate(actors)
                for actor in (given[0],)
            ]
        )
        for (actor, file, _), outcome, error in zip(actors, outcomes, ended, strict=True):
            if error is not None and not actor.dead and not isinstance(error, (OSError, MohlcvError)):
                raise error
            told = "killed" if actor.dead else f"{error!r}" if error else outcome
            self.trace(f"{actor.pid} {file}: {told}")
            self.counts[_kind(told)] += 1
            self.counts[f"struck by {actor.fault}"] += actor.struck
        for file in dict.fromkeys(file for _, file, _ in actors):
            done = len(actors) == 1 and outcomes[0] in {Action.FETCH, Action.COMPLETE}
            self.judge.look(file, done=done)

    def _actor(self, together: bool) -> Actor:  # noqa: FBT001 - of a life
        self.pids += 1
        fault = self.draw.choice((*FAULTS, "kill", "kill")) if self.draw.random() < 0.2 else ""
        draw = Random(self.draw.random())  # noqa: S311 - as above
        return Actor(100_000_000 + self.pids, draw, fault, self.draw.randrange(1, 60), 0.3 if together else 0.0)

    # ---- the end

    def _rest(self) -> None:
        """Without faults, months come to rest; those that differ then were corrected or split, and are forced."""
        self.wire.faults = 0.0
        self._move(self.moment.now + timedelta(days=60))
        files = [BarFile(symbol, RAW, month) for symbol in self.vendor.companies for month in self.months]
        for file in files:
            self._settle(file, CALM)
        self.judge.verify(judged=False)
        for file in files:
            if self.judge.content(file) != self.judge.last_word(file) or self.judge.is_red(file):
                self.judge.require(
                    self.judge.may_differ(file), f"{file} is not the vendor's last word, and was not corrected"
                )
                self._settle(file, RunOptions(force=True, accept_loss=True))
                self.counts["forced at the end"] += 1
            self.judge.require(
                self.judge.content(file) == self.judge.last_word(file), f"{file} is not the vendor's last word"
            )
            self.judge.require(not self.judge.is_red(file), f"{file} is not green at the end")
            self.counts["months"] += 1
        self.judge.verify(judged=True)

    def _settle(self, file: BarFile, options: RunOptions) -> None:
        """Fetch a month until nothing is left to do, or once with force."""
        self.pids += 1
        process = Process(self.world, self.instance, self.wire, TIMEFRAMES, self.pids)
        done = process.fetch(file, options)
        for _ in range(2):
            if options.force or done == Action.SKIP:
                break
            done = process.fetch(file, CALM)
        self.judge.require(
            done == (Action.FETCH if options.force else Action.SKIP), f"{file} does not come to rest: {done}"
        )
        if not options.force and not self.judge.is_aggregated(file):
            process.aggregate(file)
        self.judge.look(file, done=True)


def _kind(told: str) -> str:
    return told.partition(":")[0].partition("(")[0]


def lived(seed: int, years: float, *, real: bool = False) -> Life:
    """The life of a seed, lived to its end.

    Raises:
        Wrong: something did not hold.
    """
    folder = Path(mkdtemp(prefix="life-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        life = Life(seed, years, folder, real)
        life.live()
    finally:
        shutil.rmtree(folder)
    return life


def main(argv: list[str]) -> int:
    """Live the lives of some seeds; returns 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="life", description=__doc__)
    parser.add_argument("--seeds", default="1-5", help="the first and the last seed, or one")
    parser.add_argument("--real", action="store_true", help="let a real instance of Dagster remember what is done")
    parser.add_argument("--years", type=float, default=5, help="of each life")
    given = parser.parse_args(argv)
    logging.disable()
    pa.set_cpu_count(1)  # threads of their own cost more than small files take
    warnings.simplefilter("ignore")
    first, _, last = given.seeds.partition("-")
    counts: Counter[str] = Counter()
    failed, began = 0, machine.monotonic()
    for seed in range(int(first), int(last or first) + 1):
        try:
            life = lived(seed, given.years, real=given.real)
        except Wrong as error:
            failed += 1
            sys.stdout.write(f"{error}\n")
            continue
        counts += life.counts
        sys.stdout.write(f"seed {seed}: {life.steps:,} steps, {life.hash.hexdigest()[:16]}\n")
        sys.stdout.flush()
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"| {name} | {count:,} |\n")
    sys.stdout.write(
        f"{counts['months'] / 12:,.0f} symbol-years in {machine.monotonic() - began:,.0f} s, {failed} failed\n"
    )
    return int(failed > 0)
