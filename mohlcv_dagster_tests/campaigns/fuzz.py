"""Coverage-guided fuzzing of every reader of `fuzz_targets`: `python -m mohlcv_dagster_tests.campaigns fuzz`.

Atheris mutates inputs towards new branches, one process a target, which ends at the first input that does not hold,
takes longer than `SECONDS` or needs more than `MEGABYTES`; that input is kept. It is in the dev group on Linux.
"""

import argparse
import logging
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 20
"""The longest time an input may take."""
MEGABYTES = 1024
"""The most memory the process of a target may have; the interpreter with its libraries takes 150 to 250 of them."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a disk takes milliseconds to open a file for writing
INSTRUMENTED = ["mohlcv_dagster", "mohlcv_dagster_tests.campaigns.strict_readers", "dotenv"]
NAMES = ("page", "csv", "manifest", "calendar", "env", "symbol", "settings", "address", "headers", "reference")


@dataclass(frozen=True)
class Outcome:
    """What the process of a target came to."""

    target: str
    executions: int
    a_second: int
    branches: int
    megabytes: int
    finding: str

    def __str__(self) -> str:
        figures = self.executions, self.a_second, self.branches, self.megabytes
        return f"| {self.target} | {' | '.join(f'{each:,}' for each in figures)} | {self.finding or 'holds'} |"


HEAD = "| target | executions | a second | branches | MB | result |\n|---|--:|--:|--:|--:|---|"


def mutated(seeds: tuple[bytes, ...], longest: int, draw: random.Random) -> Iterator[bytes]:
    """Endless mutations of the seeds without a look at coverage, for the test of every day."""
    while True:
        text = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(0, 4)):
            at, to = sorted((draw.randint(0, len(text)), draw.randint(0, len(text))))
            piece = draw.choice((b"", bytes([draw.randrange(256)]), bytes(text[at : at + 9]), draw.choice(WORDS)))
            text[at : draw.choice((at, min(to, at + 8)))] = piece
        yield bytes(text[:longest])


WORDS = (b"NaN", b"-", b"0", b"1e999", b"null", b"\x00", b'"', b"\r", b"\xff", b"\xd9\xa3", b"[", b"{", b"0x1", b"${A}")


def fuzz(target: str, runs: int, seed: int, folder: Path) -> Outcome:
    """Fuzz one target in a process of its own."""
    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    flags = [f"-runs={runs}", f"-seed={seed}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
    inside = ["--inside", target, f"-artifact_prefix={folder}/{target}-", "-print_final_stats=1", *flags, str(corpus)]
    command = [sys.executable, "-W", "error", "-m", "mohlcv_dagster_tests.campaigns", "fuzz", *inside]
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    counts = [int(found) for found in re.findall(r"^#(\d+)\t", said, re.MULTILINE)]
    stats = {name: int(value) for name, value in re.findall(r"stat::(\w+):\s+(\d+)", said)}
    branches = re.findall(r" cov: (\d+) ", said)
    finding = "" if done.returncode == 0 else _finding(said)
    return Outcome(
        target,
        stats.get("number_of_executed_units", max(counts, default=0)),
        stats.get("average_exec_per_sec", 0),
        int(branches[-1]) if branches else 0,
        stats.get("peak_rss_mb", 0),
        finding,
    )


def _finding(said: str) -> str:
    reason = re.search(r"(?:=== Uncaught Python exception: ===\s*|ERROR: libFuzzer: )([^\n]+)", said)
    kept = re.search(r"Test unit written to (\S+)", said)
    return f"{reason[1] if reason else said[-400:]!s} ({kept[1] if kept else 'no input kept'})"


def inside(target: str, flags: list[str]) -> None:
    """What the process of a target does; it ends there."""
    import atheris  # noqa: PLC0415 - it is made for Linux

    logging.disable()  # python-dotenv warns of each line that it does not read
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from mohlcv_dagster_tests.campaigns import fuzz_targets  # noqa: PLC0415 - imported to be instrumented
    chosen = fuzz_targets.TARGETS[target]
    corpus = Path(flags[-1])
    for number, seed in enumerate(chosen.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        fuzz_targets.ENV_FOLDER = Path(folder)
        for seed in chosen.seeds:  # what is imported by the first input does not count to its time
            chosen.check(seed)
        atheris.Setup([sys.argv[0], f"-max_len={chosen.longest}", *flags], chosen.check)
        atheris.Fuzz()


def main(argv: list[str]) -> int:
    """Fuzz the targets named, or all; prints a table, and returns 1 where something does not hold."""
    if argv[:1] == ["--inside"]:
        inside(argv[1], argv[2:])
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--runs", type=int, default=20_000, help="executions of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="a folder that keeps the inputs for the next time")
    chosen = parser.parse_args(argv)
    sys.stdout.write(HEAD + "\n")
    with TemporaryDirectory() as folder:
        outcomes = []
        for target in chosen.targets or NAMES:
            outcomes.append(fuzz(target, chosen.runs, chosen.seed, chosen.corpus or Path(folder)))
            sys.stdout.write(f"{outcomes[-1]}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{sum(each.executions for each in outcomes):,} executions\n")
    return int(any(each.finding for each in outcomes))
