"""What a person sees in a terminal of 60 and of 120 columns, in UTF-8 and in ASCII: no line is longer, none is lost."""

import fcntl
import os
import re
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

from mohlcv_dagster.cli import COMMANDS
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import CLEAN

pty = pytest.importorskip("pty", reason="a pseudo-terminal is a thing of POSIX")

MOHLCV = str(Path(sys.executable).with_name("mohlcv"))
WIDTHS = (60, 120)
UTF8 = {"LC_ALL": "C.UTF-8"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Screen:
    """What a command wrote to a terminal: its lines as they stand at the end, its code, when it first wrote."""

    def __init__(self, words, width, **variables):
        began = time.monotonic()
        child, terminal = pty.fork()
        if child == 0:  # pragma: no cover - another process
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
            kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LC_ALL", "LANG"}}
            os.execve(MOHLCV, [MOHLCV, *words], {**kept, "TERM": "xterm", **variables})  # noqa: S606 - no shell
        written, self.first = b"", None
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            while piece := self._read(screen):
                self.first = self.first or time.monotonic() - began
                written += piece
        self.code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.bytes = written
        text = _ESCAPE.sub("", written.decode()).replace("\r\n", "\n")
        self.lines = [line.rpartition("\r")[2] for line in text.split("\n")]

    @staticmethod
    def _read(screen):
        try:
            return screen.read(65536)
        except OSError:  # Linux says so when the other end is closed
            return b""

    @property
    def words(self):
        """All words in one line, so that it does not matter where lines end."""
        return " ".join(" ".join(self.lines).split())

    def too_wide(self, width):
        return [line for line in self.lines if len(line) > width]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", [("fetch", "--help"), ("fetchh",), ("fetch",), ("symbols", "lsit")], ids=" ".join)
def test_help_and_errors_stay_within_the_terminal(project, words, width):
    seen = Screen(words, width, **UTF8)

    assert seen.too_wide(width) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_of_every_command_stays_within_sixty_columns(project, command):
    assert Screen([*command.split(), "--help"], 60, **UTF8).too_wide(60) == []


@pytest.fixture
def stored(project):
    """Files of two symbols; the fixture's own path is long, so the command is called where it is."""
    archive = Archive(project / "data")
    for path, content in CLEAN.items():
        (archive.root / path).parent.mkdir(parents=True, exist_ok=True)
        (archive.root / path).write_bytes(content)
    return project


REPORTS = (
    ("symbols",),
    ("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s"),
    ("plan", "--symbol", "SPY", "--start", "2024-01", "--end", "2024-12", "--offline"),
    ("chart", "SPY", "2024-01"),
)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("width", [60, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("words", REPORTS, ids=lambda words: words[0])
def test_a_report_stays_within_the_terminal_and_says_all_of_it(mohlcv, words, width):
    seen, said = Screen(words, width, **UTF8), mohlcv(*words)

    assert seen.too_wide(width) == []
    assert seen.code == said.code
    squeezed = seen.words.replace(" ", "")  # a long path may go on in the next line
    assert [word for word in re.findall(r"\w{4,}", said.out) if word not in squeezed] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("symbols",), 0),
        (("history", "SPY", "2024-01"), 1),
        (("history", "SPY", "2024-01", "--as-of", "2024-03-01", "--output", "x.csv"), 1),
        (("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s"), 1),
        (("validate", "--input-dir", "data/aggregated/1min", "--timeframe", "1min"), 1),
        (("verify",), 1),
        (("chart", "SPY", "2024-01"), 1),
        (("resample", "--symbol", "SPY"), 1),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_where_nothing_is_stored_every_command_says_so_in_the_same_words(mohlcv, project, words, code):
    said = mohlcv(*words)

    assert said.code == code
    assert (said.out + said.err).removeprefix("mohlcv: ") == "Nothing is stored yet. Fetch SPY first.\n"
    assert list(project.iterdir()) == []  # nothing is made by asking


FETCH = ("fetch", "--symbol", "ABC", "--start", "2024-01", "--end", "2024-01", "--resample")


@pytest.mark.usefixtures("home", "vendor")
def test_a_fetch_says_within_a_second_what_it_is_about_and_makes_aggregates_where_that_is_asked(project):
    seen = Screen(FETCH, 60, **UTF8)

    assert seen.code == 0, seen.lines
    assert seen.lines[0] == "Fetching ABC: 2024-01, 1 month"
    assert seen.first < 1.0 or os.getloadavg()[0] > os.cpu_count()  # a busy machine starts Python later
    assert seen.too_wide(60) == []
    assert "1 downloaded, 0 skipped, 0 failed" in seen.words
    assert sorted(each.name for each in (project / "data/aggregated").iterdir()) == ["15s", "1min", "30s"]


@pytest.mark.slow
@pytest.mark.usefixtures("home", "vendor")
@pytest.mark.parametrize("width", WIDTHS)
def test_in_ascii_a_fetch_is_told_in_ascii(width):
    first, again = Screen(FETCH, width, **ASCII), Screen(FETCH, width, **ASCII)

    assert (first.code, again.code) == (0, 0), (first.lines, again.lines)
    assert first.bytes.isascii()
    assert again.bytes.isascii()
    assert "- ABC 2024-01 skipped: stored" in again.words
    assert (first.too_wide(width), again.too_wide(width)) == ([], [])
