"""`power-loss`: the data folders that a power cut may leave after each call of a command, and what is made of them.

The calls are recorded from a run in the data folder; `disk_states` says what a disk may hold after each. In every state
each file must be a complete one, old or new. States that differ in more than the bytes of temporary files, which nobody
reads, are made in a folder: there `verify` must report a month exactly where its file, manifest entry and mirror are
not of one version, and the next command must complete.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import verify
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.campaigns import projects, syscalls
from mohlcv_dagster_tests.campaigns.disk_states import Disk
from mohlcv_dagster_tests.campaigns.projects import FewBars, commands, keeps, tree
from mohlcv_dagster_tests.campaigns.syscalls import Call, in_fork
from mohlcv_dagster_tests.tables import table

OLD, NEW = FewBars(tuple(range(0, 59, 2))), FewBars(tuple(range(60)))
DECEMBER, JANUARY, FEBRUARY = Month(2023, 12), Month(2024, 1), Month(2024, 2)
MEMORY = Path("/dev/shm")  # noqa: S108 - folders of random names are made there
KINDS = ("torn", "lost", "passed as good", "reported in vain", "not kept at the end", "not complete")


@dataclass(frozen=True)
class Case:
    """Work whose calls are recorded, after other work that was flushed long ago; the next command is the same work."""

    name: str
    before: tuple[Callable[[], None], ...]
    work: Callable[[], None]


CASES = (
    Case("a raw month, the first of the archive", (), projects.store(NEW, [JANUARY], [RAW])),
    Case("a month and its aggregates, the first of the archive", (), projects.store(NEW, [JANUARY])),
    Case(
        "a month and its aggregates, written again",
        (projects.store(OLD, [DECEMBER, JANUARY]),),
        projects.store(NEW, [JANUARY]),
    ),
    Case("two months, beside others", (projects.store(OLD, [DECEMBER]),), projects.store(OLD, [JANUARY, FEBRUARY])),
)


@dataclass
class Trace:
    """The calls of a case, and the data folder before and after it."""

    case: Case
    project: Path
    before: dict[str, bytes] = field(init=False)
    after: dict = field(init=False)
    calls: tuple[Call, ...] = field(init=False)

    def __post_init__(self):
        self.data.mkdir(parents=True)
        for work in self.case.before:
            self._done(work)
        self.before = _files(self.data)
        self.calls = self._done(self.case.work)
        self.after = tree(self.data)

    @property
    def data(self):
        return self.project / "data"

    def _done(self, work):
        ended = in_fork(commands(self.project, "", work), self.data)
        if ended.code:
            raise RuntimeError(f"{self.case.name} ended with {ended.code}: {ended.said}")
        return ended.calls

    def next(self):
        """What the next command makes of the data folder; empty if that is what it should be."""
        ended = in_fork(commands(self.project, "", self.case.work))
        if ended.code:
            return f"it ended with {ended.code}: {ended.said[-1500:]}"
        now = tree(self.data)
        return ", ".join(sorted(path for path in {*now, *self.after} if now.get(path) != self.after.get(path)))

    def disks(self, calls):
        """The disk before any call, and after each."""
        disk = Disk(self.before, str(self.data))
        yield disk
        for call in calls:
            disk.make(call)
            yield disk


def _files(folder):
    return {str(at.relative_to(folder)): at.read_bytes() for at in sorted(folder.rglob("*")) if at.is_file()}


@dataclass
class Versions:
    """The complete contents that files had under their names, in the order in which they got them."""

    of: dict[str, list[bytes]]

    def problems(self, state: dict[str, bytes], before: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What is wrong with a state by its files alone."""
        yield from (("lost", path) for path in before if path not in state)
        for path, content in state.items():
            if not path.endswith(".part") and content not in self.of.get(path, ()):
                yield "torn", path

    def unequal(self, state: dict[str, bytes]) -> set[str]:
        """The files of bars that are not of one version with their entry and their mirror."""
        mirrored = any(path.startswith("parquet/") and path.endswith(".parquet") for path in state)
        return {path for path in self.bars if not self._is_one(path, state, mirrored)}

    @property
    def bars(self) -> list[str]:
        """The files of bars."""
        return [path for path in self.of if path.endswith(".csv")]

    def _is_one(self, path, state, mirrored):
        entry, mirror = beside(path)
        there = [path in state, entry in state, mirror in state]
        if not any(there):
            return True
        if not (there[0] and there[1]) or _digest_in(state[entry]) != hashlib.sha256(state[path]).hexdigest():
            return False
        return not mirrored or (there[2] and self._number(mirror, state) == self._number(path, state))

    def _number(self, path, state):
        return self.of[path].index(state[path]) if state[path] in self.of[path] else -1


def beside(path: str) -> tuple[str, str]:
    """The manifest entry and the mirror of a file of bars."""
    file = BarFile.parse(path)
    return str(manifest_entry.path_of(file)), str(parquet_codec.path_of(file))


def _digest_in(entry):
    try:
        return json.loads(entry)["sha256"]
    except (ValueError, KeyError):
        return None


def verified(data: Path, paths: Iterable[str]) -> set[str]:
    """The files of bars that `verify` reports, by themselves or by what belongs to them; all where it refuses."""
    try:
        found = verify.verify(Archive(data)).differences
    except InputError:  # there is no file of bars and no manifest entry, at most a mirror
        return set(paths)
    reported = {each.path for each in found if each.kind is not verify.DiscrepancyKind.FAILED_CHECKS}
    return {path for path in paths if reported & {path, *beside(path)}}


@dataclass
class Result:
    """What was found in the states of a case: how many, of how many calls, and the problems by kind."""

    case: str
    calls: int = 0
    states: int = 0
    verified: int = 0
    next_commands: int = 0
    problems: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind, told):
        self.problems[kind] += 1
        self.examples.setdefault(kind, told)


@dataclass
class Survey:
    """Judges the states that a power cut may leave after each call.

    Args:
        trace: of a case.
        calls: those of the trace, or of a worse program.
    """

    trace: Trace
    calls: tuple[Call, ...]

    def __post_init__(self):
        self.versions = Versions(list(self.trace.disks(self.calls))[-1].complete)
        self.result = Result(self.trace.case.name, len(syscalls.points(self.calls)))
        self._folder = Folder(self.trace.data)
        self._seen, self._sets, self._starts = set(), set(), set()

    def run(self, random: Random, samples: int) -> Result:
        """The result; `random` chooses blocks, `samples` times for each choice of names."""
        for number, disk in enumerate(self.trace.disks(self.calls)):
            for state in disk.states(random, samples):
                for kind, told in self._problems(state, is_end=number == len(self.calls)):
                    self.result.add(kind, f"{told}, after call {number}")
        return self.result

    def _problems(self, state, *, is_end):
        self.result.states += _is_first(state, self._seen)
        yield from self.versions.problems(state, self.trace.before)
        if is_end:
            newest = {path: every[-1] for path, every in self.versions.of.items() if not path.endswith(".part")}
            yield from (("not kept at the end", path) for path in newest if state.get(path) != newest[path])
        names = {path: b"" if path.endswith(".part") else content for path, content in state.items()}
        if _is_first(names, self._sets):
            yield from self._of_commands(state, names)

    def _of_commands(self, state, names):
        """What `verify` and the next command make of it."""
        self.result.verified += 1
        self._folder.hold(state)
        yield from _verified(self.versions, state, self.trace.data)
        raw = {path: content for path, content in self.trace.before.items() if path.startswith("raw_1s/")}
        yield from (("lost", path) for path in raw if not keeps(self.trace.data, path, raw[path]))
        kept = {path: content for path, content in names.items() if not path.endswith(".part")}
        if _is_first({**kept, "left over": b"" if kept == names else b"some"}, self._starts):
            self.result.next_commands += 1
            if wrong := self.trace.next():
                yield "not complete", wrong
            self._folder.forget()


def _verified(versions, state, data):
    unequal = versions.unequal(state)
    there = [path for path in versions.bars if {path, *beside(path)} & state.keys()]
    reported = verified(data, there)
    yield from (("passed as good", path) for path in unequal - reported)
    yield from (("reported in vain", path) for path in reported - unequal)


def _is_first(state, seen):
    digest = _digest(state)
    is_first = digest not in seen
    seen.add(digest)
    return is_first


def _digest(state):
    digest = hashlib.sha256()
    for path in sorted(state):
        digest.update(f"{path}\0{len(state[path])}\0".encode())
        digest.update(state[path])
    return digest.digest()


@dataclass
class Folder:
    """A folder that holds one state after the other; only what differs is written."""

    at: Path
    held: dict[str, bytes] = field(default_factory=dict)

    def forget(self):
        """Start again from nothing: something else wrote into it."""
        shutil.rmtree(self.at)
        self.at.mkdir()
        self.held = {}

    def hold(self, state: dict[str, bytes]) -> None:
        if not self.held:
            self.forget()
        for path in self.held.keys() - state.keys():
            (self.at / path).unlink()
        for path, content in state.items():
            if self.held.get(path) != content:
                at = self.at / path
                at.parent.mkdir(parents=True, exist_ok=True)
                at.write_bytes(content)
        self.held = dict(state)


def surveys(cases, seed: int, samples: int, without: str = "") -> Iterator[Result]:
    """The result of each case; calls of the name `without` are taken to be missing in the program."""
    base = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=base, prefix="power-loss-") as folder:
        warm = Path(folder) / "warm"
        warm.mkdir()
        syscalls.load_all(commands(warm, "", projects.store(OLD, [JANUARY])))
        for number, case in enumerate(cases):
            trace = Trace(case, Path(folder) / str(number))
            calls = tuple(call for call in trace.calls if call.name != without)
            yield Survey(trace, calls).run(Random(seed), samples)  # noqa: S311 - chooses, hides nothing


def report(results: Iterable[Result]) -> str:
    """The table, in Markdown."""
    head = ("what is cut off", "calls", "states", *KINDS[:2], "verified", *KINDS[2:-1], "next commands", KINDS[-1])
    rows = [
        (
            each.case,
            f"{each.calls:,}",
            f"{each.states:,}",
            *(str(each.problems[kind]) for kind in KINDS[:2]),
            f"{each.verified:,}",
            *(str(each.problems[kind]) for kind in KINDS[2:-1]),
            f"{each.next_commands:,}",
            str(each.problems[KINDS[-1]]),
        )
        for each in results
    ]
    return table(head, rows)


def main(argv):
    """Judge all states and print the table; 1 where one is not as it must be."""
    parser = argparse.ArgumentParser(prog="power-loss", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=60, help="choices of blocks for each choice of names")
    parser.add_argument("--case", default="", help="a part of the names of the cases to try [all]")
    parser.add_argument("--without", default="", help="leave out calls of this name, such as fsync: it must be found")
    given = parser.parse_args(argv)
    syscalls.preload("mohlcv_dagster_tests.campaigns", "power-loss", *argv)
    began, results = time.monotonic(), []
    cases = [case for case in CASES if given.case in case.name]
    for result in surveys(cases, given.seed, given.samples, given.without):
        results.append(result)
        for kind, told in result.examples.items():
            sys.stderr.write(f"{kind}: {result.case}: {result.problems[kind]} times, such as {told}\n")
    sys.stdout.write(report(results))
    sys.stderr.write(f"{sum(each.states for each in results):,} states in {time.monotonic() - began:.0f} s\n")
    return int(any(each.problems for each in results))
