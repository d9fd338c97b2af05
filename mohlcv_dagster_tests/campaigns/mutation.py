"""Small faults in `bars/` and `storage/`, one at a time: do their tests notice? `… campaigns mutation`.

mutmut makes the mutants, such as `<` for `<=`, in a copy of the project, and runs for each the tests of both packages
that call the function. A mutant that no test notices survives: a test is missing, or the mutant is equivalent.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from configparser import ConfigParser
from pathlib import Path
from tempfile import mkdtemp

PROJECT = Path(__file__).parents[2]
PACKAGES = ("bars", "storage")
NOTICED = frozenset({"killed", "timeout", "segfault"})
_READS_THE_SOURCE = (
    "storage/test_atomic_writes.py::test_every_module_that_writes_a_file_of_the_project_does_it_atomically"
)
_CONFIGURATION: dict[str, str | list[str]] = {
    "source_paths": ["mohlcv_dagster"],
    "only_mutate": [f"mohlcv_dagster/{package}/*.py" for package in PACKAGES],
    "also_copy": ["mohlcv_dagster_tests", "README.md", "docs"],
    "pytest_add_cli_args_test_selection": [f"mohlcv_dagster_tests/{package}" for package in PACKAGES],
    "pytest_add_cli_args": [
        "--numprocesses=0",
        "--hypothesis-profile=few",
        f"--deselect=mohlcv_dagster_tests/{_READS_THE_SOURCE}",
    ],
    # a fork of a process that has used its pool of threads would wait for them without end
    "process_isolation": "forkserver",
    "timeout_constant": "3.0",
    "timeout_multiplier": "6.0",
}


def prepare(folder: Path) -> None:
    """Copy what git knows of the project, and new files, and configure mutmut there."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (PROJECT / name).is_file():  # not removed meanwhile
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    options = {
        key: value if isinstance(value, str) else "\n".join(("", *value)) for key, value in _CONFIGURATION.items()
    }
    configuration = ConfigParser(interpolation=None)
    configuration["mutmut"] = options
    with (folder / "setup.cfg").open("w", encoding="utf-8") as at:
        configuration.write(at)


def verdicts(folder: Path) -> dict[str, str]:
    """Every mutant that was made, and what became of it, such as `survived`."""
    told = _mutmut(folder, "results", "--all", "true").stdout
    return dict(re.findall(r"^ +(\S+__mutmut_\d+): (.+)$", told, re.MULTILINE))


def sample(mutants: list[str], count: int, seed: int) -> list[str]:
    """So many of the mutants, each as likely as any other; all for 0, or where there are no more."""
    rising = sorted(mutants)
    return sorted(random.Random(seed).sample(rising, count)) if 0 < count < len(rising) else rising  # noqa: S311 - repeatable


def table(found: dict[str, str]) -> str:
    """The verdicts by module, and the names of what no test noticed."""
    rows = ["| module | mutants | noticed | survived | score |", "|---|--:|--:|--:|--:|"]
    total, noticed = Counter(map(_module, found)), Counter(_module(each) for each in found if found[each] in NOTICED)
    for name in (*sorted(total), "all"):
        made, seen = (total[name], noticed[name]) if name != "all" else (total.total(), noticed.total())
        rows.append(f"| {name} | {made:,} | {seen:,} | {made - seen:,} | {seen / max(made, 1):.1%} |")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(found.values()).most_common())
    return "\n".join((*rows, "", kinds, *(f"- {each}" for each in sorted(found) if found[each] not in NOTICED)))


def _module(mutant: str) -> str:
    return "/".join(mutant.split(".")[1:3]) + ".py"


def _mutmut(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("mutmut") or str(Path(sys.executable).with_name("mutmut"))
    return subprocess.run([program, *arguments], cwd=folder, check=False, capture_output=True, text=True)


def main(argv: list[str]) -> int:
    """Try a sample of mutants; prints a table and the survivors."""
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="mutants to try; 0 for all")
    parser.add_argument("--seed", type=int, default=14, help="decides which")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("names", nargs="*", metavar="mutant", help="try these instead, such as survivors")
    chosen = parser.parse_args(argv)
    folder = Path(mkdtemp(prefix="mohlcv-mutation-"))
    prepare(folder)
    begun = _mutmut(folder, "run", "none")  # no command only makes them: it stops since no mutant has this name
    made = list(verdicts(folder))
    if "nothing matches" not in begun.stderr or not made:
        sys.stderr.write(f"no mutants were made in {folder}:\n{begun.stdout[-2000:]}{begun.stderr[-2000:]}\n")
        return 1
    names = chosen.names or sample(made, chosen.count, chosen.seed)
    _mutmut(folder, "run", "--max-children", str(chosen.jobs), *names)
    found = verdicts(folder)
    sys.stdout.write(f"{table({name: found[name] for name in names})}\n")
    sys.stdout.write(f"{len(names):,} of {len(made):,} mutants. In {folder}, `mutmut show NAME` shows one.\n")
    return 0
