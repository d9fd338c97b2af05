"""`crash-points`: a command is killed, or a call refused, at each call that changes files; the next command goes on.

For each point a project is copied, the command runs in a fork until the fault strikes, the data folder is looked at,
and the next command runs. What the files may be comes from a run without a fault.
"""

import argparse
import errno
import hashlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.campaigns import projects, syscalls
from mohlcv_dagster_tests.campaigns.projects import MORE_SECONDS, SYMBOL, FewBars, commands, served, tree
from mohlcv_dagster_tests.campaigns.syscalls import Fault, in_fork
from mohlcv_dagster_tests.tables import table

DATA, HOME = "data", ".mohlcv"
MARKETS = (FewBars(), FewBars(MORE_SECONDS), FewBars(is_bad=True))
MONTHS = {"2023-12": ("2023-12-01", "2023-12-31"), "2024-01": ("2024-01-01", "2024-01-31")}
SHORT_NAMES = {Fault.KILL: "`kill -9`", Fault.SHORT: "half of a write"}
FAULTS = (
    (Fault.KILL, 0),
    (Fault.ERROR, errno.ENOSPC),
    (Fault.FULL, errno.ENOSPC),
    (Fault.ERROR, errno.EIO),
    (Fault.SHORT, 0),
)
MEMORY = Path("/dev/shm")  # noqa: S108 - folders of random names are made there


def fetch(month, *options):
    start, end = MONTHS[month]
    return ("fetch", "--symbol", SYMBOL, "--start", start, "--end", end, *options)


@dataclass(frozen=True)
class Case:
    """What is broken off, and in which folder calls are counted.

    Attributes:
        name: for the table.
        before, broken, after: given the addresses of the vendors of `MARKETS`, make the project, are broken off, and
            complete it.
        folder: `data` or `.mohlcv`.
        parquet: whether mirrors are written.
        most: points of it, evenly; `None` for all.
        has_home: whether Dagster is in it; else what writes files does so alone.
    """

    name: str
    before: Callable[[list[str]], list]
    broken: Callable[[list[str]], tuple]
    after: Callable[[list[str]], tuple]
    folder: str = DATA
    parquet: bool = True
    most: int | None = None
    has_home: bool = True


def _december(urls):
    return [(urls[0], fetch("2023-12"))]


_RAW = (lambda urls: (urls[0], fetch("2024-01")),) * 2
CASES = (
    Case("a raw month", _december, *_RAW, parquet=False),
    Case(
        "a raw month with its mirror, fetched again",
        lambda urls: [*_december(urls), (urls[0], fetch("2024-01"))],
        *(lambda urls: (urls[1], fetch("2024-01", "--force")),) * 2,
    ),
    Case(
        "a bad answer in place of a good month",
        lambda urls: [*_december(urls), (urls[0], fetch("2024-01"))],
        lambda urls: (urls[2], fetch("2024-01", "--force")),
        lambda urls: (urls[0], fetch("2024-01")),
        parquet=False,
    ),
    Case(
        "what a backfill writes: 3 months, 2 timeframes, mirrors",
        lambda _: [("", projects.store(FewBars(), [Month(2023, 12)]))],
        *(lambda _: ("", projects.store(FewBars(), [Month(2024, 1), Month(2024, 2), Month(2024, 3)])),) * 2,
        has_home=False,
    ),
    Case(
        "a backfill, in its run",
        _december,
        *(lambda urls: (urls[0], projects.launch("2024-01", "2024-03")),) * 2,
        most=12,
    ),
    Case("Dagster's home, a raw month", _december, *_RAW, folder=HOME, parquet=False),
    Case("Dagster's home, the first start", lambda _: [], *_RAW, folder=HOME, parquet=False),
)


@dataclass(frozen=True)
class Tried:
    """What came of one fault at one point.

    Attributes:
        number: of the call, from 1.
        call: its name; empty if the command ended before it.
        code: how the command ended.
        problems: what must not be, by kind.
    """

    case: str
    fault: Fault
    error: int
    number: int
    call: str
    code: int
    problems: tuple[tuple[str, str], ...]


@dataclass
class Laboratory:
    """A case, ready to be broken.

    Attributes:
        template: the project before.
        stages: the data folder before, after the command, after the next one, and after the next one alone.
        calls: those of the command, in order.
    """

    case: Case
    urls: list[str]
    base: Path
    template: Path = field(init=False)
    stages: list[dict] = field(default_factory=list)
    calls: list = field(default_factory=list)

    def __post_init__(self):
        self.template = self.base / "template"
        (self.template / DATA).mkdir(parents=True)
        (self.template / HOME).mkdir()
        for url, words in self.case.before(self.urls):
            self._done(self.template, url, words)
        self.stages.append(tree(self.template / DATA))
        reference = self._copy()
        url, *words = self.case.broken(self.urls)
        ended = in_fork(self._work(reference, url, *words), reference / self.case.folder)
        self.calls = syscalls.points(ended.calls)
        self.stages.append(tree(reference / DATA))
        for project in (reference, self._copy("other")):
            self._done(project, *self.case.after(self.urls))
            self.stages.append(tree(project / DATA))
            shutil.rmtree(project)

    def _work(self, project, url, *words):
        return commands(project, url, *words, parquet=self.case.parquet)

    def _done(self, project, url, *words):
        ended = in_fork(self._work(project, url, *words))
        if ended.code:
            raise RuntimeError(f"{words} ended with {ended.code}: {ended.said}")

    def _copy(self, name="project"):
        return Path(shutil.copytree(self.template, self.base / name))

    def try_point(self, point):
        """Let a fault strike at a call; what came of it."""
        number, fault, error = point
        project = self._copy(f"project-{os.getpid()}")
        try:
            url, *words = self.case.broken(self.urls)
            broken = in_fork(
                self._work(project, url, *words), project / self.case.folder, at=number, fault=fault, error=error
            )
            now = tree(project / DATA)
            problems = [*_of_command(broken, fault, now), *self._of_files(now), *self._of_next(project, now)]
            if broken.code == 0 and (wrong := _unequal(_without_refused(now, broken, project), self.stages[1])):
                problems.append(("not complete", f"exit 0, and {wrong}"))
        finally:
            shutil.rmtree(project)
        hits = broken.hits
        call = f"{hits[0].name} {Path(hits[0].path).name}" if hits else ""
        return Tried(self.case.name, fault, error, number, call, broken.code, tuple(problems))

    def _of_files(self, now):
        """What is wrong with the data folder as it is after the fault."""
        for path in self.stages[0]:
            if path not in now:
                yield "lost", path
        for path, content in now.items():
            known = [stage[path] for stage in self.stages if path in stage]
            if isinstance(content, dict) and any(isinstance(each, dict) for each in known):
                yield from _of_entry(path, content, known)
            elif content not in known and not path.endswith(".part"):
                yield "half", path

    def _of_next(self, project, now):
        """What is wrong with the next command, and with what it leaves."""
        url, *words = self.case.after(self.urls)
        due = self.stages[2]
        files = {path: hashlib.sha256(due[path]).hexdigest() for path in due if path.endswith(".csv")}
        left = [projects.what_is_left_open(files)] if self.case.has_home else []
        ended = in_fork(self._work(project, url, *words, *left))
        if ended.code:
            yield "not complete", f"the next command ended with {ended.code}: {ended.said[-1500:]}"
        elif wrong := _unequal(_without_kept(tree(project / DATA), now), *self.stages[2:]):
            yield "not complete", f"after the next command {wrong}"


def _of_command(broken, fault, now):
    if broken.code == syscalls.HUNG:
        yield "hung", broken.said[-500:]
    if fault is not Fault.KILL and "Traceback" in broken.said:
        yield "traceback", broken.said[-3000:]
    if fault is not Fault.KILL and not any(call.name == "unlink" for call in broken.hits):
        yield from (("left over", path) for path in now if path.endswith(".part"))


def _of_entry(path, entry, known):
    """A manifest entry may have fewer results than at the end, of the same file, and none that is better."""
    same = [each for each in known if each["sha256"] == entry["sha256"]]
    if not same:
        yield "half", path
    found = {(check["name"], check["passed"]) for each in same for check in each["checks"]}
    for check in entry["checks"]:
        if check["passed"] and (check["name"], True) not in found:
            yield "wrong green", f"{path}: {check['name']}"


def _without_kept(after, before):
    """A tree without the temporary files of files that the command did not write: the next writer removes those."""

    def is_kept(path):
        written = str(PurePosixPath(path).with_name(PurePosixPath(path).name[1:].rsplit(".", 2)[0]))
        return path.endswith(".part") and path in before and after.get(written) == before.get(written)

    return {path: content for path, content in after.items() if not is_kept(path)}


def _without_refused(now, broken, project):
    """A tree without the temporary files whose removal was refused."""
    refused = {os.path.relpath(hit.path, project / DATA) for hit in broken.hits if hit.name == "unlink"}
    return {path: content for path, content in now.items() if not (path.endswith(".part") and path in refused)}


def _unequal(now, *due):
    """The files that are not as in one of the trees; empty if there are none."""

    def how(path):
        return "absent" if path not in now else "left" if path not in due[0] else "differs"

    paths = sorted({*now, *due[0]})
    return ", ".join(f"{path} ({how(path)})" for path in paths if now.get(path) not in [each.get(path) for each in due])


@contextmanager
def laboratories(cases):
    """Each case, made ready in turn."""
    folder = MEMORY if MEMORY.is_dir() else None
    with served(*MARKETS) as urls, tempfile.TemporaryDirectory(dir=folder, prefix="crash-points-") as base:
        warm = Path(base) / "warm"
        warm.mkdir()
        alone = [projects.store(FewBars(), [Month(2024, 2)])]
        every = [*alone, fetch("2024-01"), ("resample", "--symbol", SYMBOL)]
        has_home = any(case.has_home for case in cases)
        syscalls.load_all(commands(warm, urls[0], *(every if has_home else alone)))
        yield (Laboratory(case, urls, Path(base) / str(number)) for number, case in enumerate(cases))


def sampled(numbers, most):
    """As many of the numbers of calls as given, evenly; all where none is given."""
    every = len(numbers) if most is None else min(most, len(numbers))
    return [numbers[index * len(numbers) // every] for index in range(every)]


def points(laboratory, most, faults):
    """The faults of a case, each with the calls at which it strikes."""
    case, calls = laboratory.case, laboratory.calls
    for fault, error in faults if case.folder == DATA else [each for each in faults if each[0] is Fault.KILL]:
        numbers = [number for number, call in enumerate(calls, 1) if call.data or fault is not Fault.SHORT]
        for number in sampled(numbers, case.most or most[case.folder]):
            yield number, fault, error


def try_all(cases, most, faults, jobs=1):
    """Every fault at every point, by so many processes; a `Tried` each."""
    with laboratories(cases) as ready:
        for laboratory in ready:
            with multiprocessing.get_context("fork").Pool(jobs, _IN_WORKER.append, [laboratory]) as pool:
                yield from pool.imap(_try_point, points(laboratory, most, faults))


_IN_WORKER = []
"""In a process that tries points: the case that is tried."""


def _try_point(point):
    return _IN_WORKER[-1].try_point(point)


KINDS = ("half", "lost", "wrong green", "left over", "traceback", "hung", "not complete")


def fault_name(fault, error):
    if fault is Fault.FULL:
        return f"{errno.errorcode[error]} from there on"
    return SHORT_NAMES.get(fault) or errno.errorcode[error]


def report(tried):
    """The table, in Markdown."""
    groups = {}
    for each in tried:
        groups.setdefault((each.case, each.fault, each.error), []).append(each)
    head = ("what is broken off", "by", "points", "command ended with", *KINDS)
    rows = []
    for (case, fault, error), found in groups.items():
        codes = Counter(each.code for each in found if each.call)
        ends = ", ".join(f"{count} × {code}" for code, count in sorted(codes.items()))
        problems = [str(sum(any(kind == name for name, _ in each.problems) for each in found)) for kind in KINDS]
        rows.append(
            (case, fault_name(fault, error), str(sum(map(bool, (each.call for each in found)))), ends, *problems)
        )
    return table(head, rows)


def main(argv):
    """Try all cases and print the table; 1 where anything was found that must not be."""
    parser = argparse.ArgumentParser(prog="crash-points", description=__doc__)
    parser.add_argument("--most", type=int, help="points of each case in the data folder [all]")
    parser.add_argument("--home", type=int, default=500, help="points of each case in Dagster's home")
    parser.add_argument("--case", action="append", help="a part of the names of the cases to try [all]")
    parser.add_argument("--fault", action="append", help="a part of the names of the faults to try [all]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes [one a processor]")
    given = parser.parse_args(argv)
    syscalls.preload("mohlcv_dagster_tests.campaigns", "crash-points", *argv)
    cases = [case for case in CASES if any(name in case.name for name in given.case or [""])]
    faults = [each for each in FAULTS if any(name in fault_name(*each) for name in given.fault or [""])]
    tried, began = [], time.monotonic()
    try:
        for each in try_all(cases, {DATA: given.most, HOME: given.home}, faults, given.jobs):
            tried.append(each)
            for kind, told in each.problems:
                where = f"{each.case}, {fault_name(each.fault, each.error)} at {each.number} {each.call} ({each.code})"
                sys.stderr.write(f"{kind}: {where}: {told}\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the table is of the points that were tried\n")
    sys.stdout.write(report(tried))
    sys.stderr.write(f"{len(tried):,} points in {time.monotonic() - began:.0f} s\n")
    return int(any(each.problems for each in tried))
