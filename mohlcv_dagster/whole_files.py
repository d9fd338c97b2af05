"""A file put whole in the place of another: written beside, flushed to disk, renamed. What it holds is not known here.

A writer that is killed leaves what it had beside the file, under a name that tells who wrote: the next one in its place
removes it.
"""

import hashlib
import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import FileNameClashError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from io import BufferedWriter

    from typing_extensions import Buffer

HOST: Final = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
"""This machine, in the names of unfinished files."""
UNFINISHED: Final = ".part"
"""How the names of unfinished files end; they begin with a dot."""
_NAME: Final = re.compile(r".*\.(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]{8}" + re.escape(UNFINISHED))
_WORTH_A_FLUSH: Final = 8 << 20
"""Bytes written since the disk was last told to keep them."""
_LOOK_AGAIN: Final = 60.0
"""Seconds between two looks for what was left in a folder: one of 60,000 files takes 40 ms to go over."""
_FORGOTTEN_AFTER: Final = 86_400.0
"""Seconds after which an unfinished file whose writer cannot be asked for is taken for forgotten."""

_left_in: Final[dict[Path, tuple[float, tuple[str, ...]]]] = {}
"""Of each folder that this process wrote into, when it was last looked through, and the unfinished files there were."""


def replace(at: Path, content: "Iterable[Buffer]") -> os.stat_result:
    """Put `content` in the place of `at`, whole or not at all; folders on the way to it are made.

    Args:
        at: the file, which may be there.
        content: its bytes, in pieces.

    Returns:
        The status of the file that was written, taken before it had its name: no other writer's can be meant.

    Raises:
        FileNameClashError: on this disk the name belongs to another symbol, different in case only.
        OSError: the disk refused; what was there is as it was.
    """
    at.parent.mkdir(parents=True, exist_ok=True)
    _refuse_case_twin(at)
    _sweep(at)
    beside = _temporary(at)
    try:
        with beside.open("xb") as out:
            _fill(out, content)
            status = os.fstat(out.fileno())
        beside.replace(at)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(at.parent)
    return status


@contextmanager
def restored_on_error(at: Path) -> Iterator[None]:
    """Put the file at `at` back as it is now, or remove it if it is absent now, when the block raises.

    While the block runs, the file has a second name in the same folder. A process that is killed leaves that name
    behind, and the next writer removes it.

    Raises:
        OSError: the disk refused to keep the file.
    """
    former = _second_name(at) if at.exists() else None
    try:
        yield
    except BaseException:
        if former is not None:
            former.replace(at)
            former.unlink(missing_ok=True)  # two names of one file: to rename one to the other leaves both
        elif at.exists():  # a folder on the way to it may be a file: then it is absent, and to remove it is an error
            at.unlink()
        raise
    else:
        if former is not None:
            former.unlink(missing_ok=True)


def _second_name(at: Path) -> Path:
    """A hard link to the file; a copy of it on a disk that has no links."""
    kept = _temporary(at)
    try:
        kept.hardlink_to(at)
    except OSError:
        shutil.copy2(at, kept)
    return kept


def _temporary(at: Path) -> Path:
    """A name in the folder of `at` that tells who uses it, so that what a killed process leaves is removed."""
    return at.with_name(f".{at.name}.{HOST}-{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}")


def _fill(out: "BufferedWriter", content: "Iterable[Buffer]") -> None:
    """Write all pieces and see them on the disk, which is at work already while further pieces are made."""
    flushed: list[Future[None]] = []  # each is looked at: a disk tells of a failure once
    waiting = 0
    with ThreadPoolExecutor(1, thread_name_prefix="disk") as disk:
        for piece in content:
            waiting += out.write(piece)
            if waiting >= _WORTH_A_FLUSH and all(flush.done() for flush in flushed):
                out.flush()
                flushed.append(disk.submit(os.fsync, out.fileno()))
                waiting = 0
    for flush in flushed:
        flush.result()
    out.flush()
    os.fsync(out.fileno())


def flush_folder(folder: Path) -> None:
    """Make the new name itself outlive a power cut; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_case_twin(at: Path) -> None:
    """On a disk that ignores case, refuse a name that is taken in another spelling."""
    for place in (at.parent, at):
        other_case = place.with_name(place.name.swapcase())
        ignores_case = place.exists() and other_case.exists() and place.samefile(other_case)
        if ignores_case and all(entry.name != place.name for entry in place.parent.iterdir()):
            raise FileNameClashError(
                f"{at} cannot be written: this disk ignores case and the name belongs to another symbol; "
                "keep such symbols in data folders of their own"
            )


def _sweep(at: Path) -> None:
    """Remove what killed writers left beside `at`, as far as the last look through its folder found it."""
    now = time.monotonic()
    looked, names = _left_in.get(at.parent, (-math.inf, ()))
    if now - looked >= _LOOK_AGAIN:
        names = tuple(left.name for left in at.parent.glob(f".*{UNFINISHED}"))
        _left_in[at.parent] = (now, names)
    for left in (at.with_name(name) for name in names if name.startswith(f".{at.name}.")):
        if is_abandoned(left):
            left.unlink(missing_ok=True)


def is_abandoned(left: Path) -> bool:
    """Whether a file is an unfinished one whose writer was killed: the next writing in its place removes it."""
    match = _NAME.fullmatch(left.name)
    return match is not None and _abandoned(left, match["host"], int(match["pid"]))


def _abandoned(left: Path, host: str, pid: int) -> bool:
    # on Windows os.kill(pid, 0) asks nothing: it sends Ctrl-C
    if host == HOST and os.name != "nt":
        return not _alive(pid)
    return _age(left) > _FORGOTTEN_AFTER


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
