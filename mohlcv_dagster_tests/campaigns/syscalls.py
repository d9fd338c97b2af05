"""The calls by which a process changes files under a folder: recorded, and broken at any one of them.

`syscalls.c` is compiled and loaded before libc (Linux, a C compiler), so that it sees the calls of SQLite and of Arrow,
too. Work is done in forks of this process, which has loaded everything: a fork takes milliseconds, Dagster seconds.
"""

import ctypes
import gc
import hashlib
import importlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("syscalls.c")
COMPILER = shutil.which("cc")
AVAILABLE = sys.platform == "linux" and COMPILER is not None
PATIENCE = 300.0
"""Seconds for the work of one fork, on a busy machine too; after them it is killed and counts as hung."""
HUNG = 999
_HEAD = struct.Struct("16s6q")


class Fault(IntEnum):
    """What happens at a call; the numbers are those of `syscalls.c`."""

    NONE = 0
    KILL = 1
    ERROR = 2
    SHORT = 3
    FULL = 4


@dataclass(frozen=True)
class Call:
    """One call that changes files.

    Attributes:
        name: `open`, `opened` (the same call, once its inode is known), `write`, `fsync`, `rename` …
        path, other: absolute; `other` of `rename` and `link` alone.
        inode: of the file; 0 if there is none yet.
        offset: of a write; the new length of `ftruncate` and `fallocate`.
        flags: of `open`.
        is_hit: whether the fault struck here.
        data: of a write.
    """

    name: str
    path: str
    other: str
    inode: int
    offset: int
    flags: int
    is_hit: bool
    data: bytes


@dataclass(frozen=True)
class Ended:
    """How a fork ended.

    Attributes:
        code: its exit code; a negative signal number; `HUNG`.
        calls: those that were seen, in order.
        said: its output.
    """

    code: int
    calls: tuple[Call, ...]
    said: str

    @property
    def hits(self):
        return [call for call in self.calls if call.is_hit]


def points(calls):
    """The calls at which a fault can strike, in their order: number 1 is the first."""
    return [call for call in calls if call.name != "opened"]


def environment():
    """The variables of a program that has the library loaded before libc."""
    return {**os.environ, "LD_PRELOAD": str(_library()), "PYTHONDONTWRITEBYTECODE": ""}


def preload(*arguments):
    """Start this program again, as `python -m` and these, with the library loaded; nothing if it is."""
    given = environment()
    if os.environ.get("LD_PRELOAD") != given["LD_PRELOAD"]:
        os.execve(sys.executable, [sys.executable, "-m", *arguments], given)  # noqa: S606 - this very program


def _library():
    """The compiled library; made once for each version of its source."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"mohlcv-campaigns-{os.getuid()}" / f"syscalls-{digest}.so"
    if not library.exists():
        library.parent.mkdir(mode=0o700, exist_ok=True)
        made = library.with_name(f"{os.getpid()}.so")
        subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl", "-lpthread"], check=True)
        made.replace(library)
    return library


def in_fork(work, folder=None, *, at=-1, fault=Fault.NONE, error=0):
    """Do work in a fork of this process; with a folder, its calls there are recorded, and the fault strikes at one.

    Args:
        work: a function; what it returns is the exit code, `None` is 0.
        folder: real and absolute.
        at: the number of the call, from 1.
        fault: what happens there.
        error: the `errno` of a call that is refused.
    """
    records, said = os.memfd_create("records"), os.memfd_create("said")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _child(work, said, (folder, at, fault, error, records))
    code = _waited(pid)
    ended = Ended(code, tuple(_calls(_read(records))), _read(said).decode(errors="replace"))
    os.close(records)
    os.close(said)
    return ended


def _child(work, said, watched):
    code = 70
    try:
        os.setpgid(0, 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        folder, at, fault, error, records = watched
        if folder is not None:
            watch = ctypes.CDLL(None).watch
            watch(os.fsencode(folder), ctypes.c_int64(at), int(fault), error, records)
        code = work() or 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
        import traceback  # noqa: PLC0415 - seldom needed

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited(pid):
    deadline = time.monotonic() + PATIENCE
    pause = 0.001
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return HUNG
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def _read(handle):
    os.lseek(handle, 0, os.SEEK_SET)
    with os.fdopen(os.dup(handle), "rb") as opened:
        return opened.read()


def _calls(records):
    at = 0
    while at < len(records):
        name, inode, offset, length, flags, paths, hit = _HEAD.unpack_from(records, at)
        at += _HEAD.size
        path, other, _ = records[at : at + paths].split(b"\0")
        data = records[at + paths : at + paths + length]
        at += paths + length
        yield Call(
            name.rstrip(b"\0").decode(), os.fsdecode(path), os.fsdecode(other), inode, offset, flags, bool(hit), data
        )


def load_all(work):
    """Import here what `work` imports: it is done in a fork, and no thread or connection of it is left in this one."""
    names, written = os.pipe()

    def listing():
        work()
        os.write(written, "\n".join(sys.modules).encode())

    ended = in_fork(listing)
    os.close(written)
    with os.fdopen(names, "rb") as told:
        modules = told.read().decode().split()
    if ended.code:
        raise RuntimeError(f"the work ended with {ended.code}: {ended.said}")
    for name in modules:
        if name not in sys.modules and importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a fork that looks through what was loaded would copy all of it
