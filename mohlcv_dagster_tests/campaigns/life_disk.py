"""The disk and the processes of a life: every change of a file is a point at which an actor may fail, die or wait.

An actor is a thread; one works at a time, and hands over at a point where the seed says so. One that is killed does
nothing more to any file, as a process that has ended: also what its `except` and `finally` would do is not done.
"""

import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from unittest import mock

from mohlcv_dagster.storage import atomic_writes

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-[0-9]+-[0-9a-f]{8}\.part")
NO_FILE = ("record", "end")
"""Points that are no change of a file: an event is recorded, a run ends."""
FAULTS = ("kill", "ENOSPC", "EIO", "short write")


class Killed(BaseException):
    """The process of an actor has ended."""


@dataclass
class Moment:
    """What time it is in a life."""

    now: datetime

    def get(self) -> datetime:
        """It."""
        return self.now

    def seconds(self) -> float:
        """As Unix seconds, for clocks of either kind."""
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds, microseconds=1)  # or less than one would never pass


@dataclass
class Actor:
    """A process.

    Attributes:
        pid: its number, never that of another.
        draw: decides where it hands over.
        fault: what strikes it, of `FAULTS`; empty for nothing.
        at: the point at which it does, counted from 1.
        hands_over: how likely it is to at a point.
    """

    pid: int
    draw: Random
    fault: str = ""
    at: int = 0
    hands_over: float = 0.0
    points: int = 0
    dead: bool = False
    struck: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class World:
    """The actors over one archive, their disk and their clock; a context manager while which all of that holds.

    Args:
        root: the data folder.
        moment: what time it is.
        trace: called with a line for each thing that happens.
    """

    def __init__(self, root: Path, moment: Moment, trace: Callable[[str], None]) -> None:
        self.root, self.moment, self.trace = root, moment, trace
        self.actors: dict[threading.Thread, Actor] = {}
        self._back = threading.Semaphore(0)
        self._waiting: list[Actor] = []
        self._tokens = 0

    # ---- actors

    def run(self, works: list[tuple[Actor, Callable[[], None]]]) -> list[BaseException | None]:
        """Let actors work until all are done or dead, one at a time; what each ended with."""
        ended: list[BaseException | None] = [None] * len(works)

        def live(number: int, actor: Actor, work: Callable[[], None]) -> None:
            actor.turn.acquire()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the caller judges it
                ended[number] = error
            finally:
                self._waiting.remove(actor)
                self._back.release()

        threads = []
        for number, (actor, work) in enumerate(works):
            thread = threading.Thread(target=live, args=(number, actor, work), daemon=True)
            self.actors[thread] = actor
            threads.append(thread)
            thread.start()
        self._waiting = [actor for actor, _ in works]
        while self._waiting:
            self._waiting[0].turn.release()
            self._back.acquire()
        for thread in threads:
            thread.join()
            del self.actors[thread]
        return ended

    def point(self, what: str, path: Path | str = "") -> str:
        """The actor of this thread comes to a point; what strikes it there, where that is for the caller to do.

        Raises:
            Killed: it is dead, or dies here.
            OSError: the disk refuses.
        """
        actor = self.actors.get(threading.current_thread())
        if actor is None:
            return ""
        if actor.dead:
            raise Killed
        actor.points += 1
        name = _TEMPORARY.sub(".part", str(path).removeprefix(str(self.root)))
        self.trace(f"{actor.pid} {what} {name}")
        self._hand_over(actor)
        if actor.points < actor.at or actor.struck or not actor.fault:
            return ""
        return self._strike(actor, what)

    def _strike(self, actor: Actor, what: str) -> str:
        short = actor.fault == "short write"
        if (short and what != "write") or (actor.fault != "kill" and what in NO_FILE):
            return ""
        actor.struck = True
        self.trace(f"{actor.pid} {actor.fault}")
        if actor.fault == "kill":
            actor.dead = True
            raise Killed
        if short:
            return "short"
        number = getattr(errno, actor.fault)
        raise OSError(number, os.strerror(number))

    def _hand_over(self, actor: Actor) -> None:
        if len(self._waiting) > 1 and actor.draw.random() < actor.hands_over:
            self._waiting.append(self._waiting.pop(0))
            self._back.release()
            actor.turn.acquire()
            if actor.dead:
                raise Killed

    # ---- the disk

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """The disk, the process numbers and the clock of this world in place of the machine's."""
        opened = Path.open
        with (
            mock.patch.object(Path, "open", self._open(opened)),
            mock.patch.object(Path, "replace", self._before("rename", Path.replace)),
            mock.patch.object(Path, "unlink", self._before("unlink", Path.unlink)),
            mock.patch.object(Path, "hardlink_to", self._before("link", Path.hardlink_to)),
            mock.patch.object(Path, "mkdir", self._before("mkdir", Path.mkdir)),
            mock.patch.object(atomic_writes, "os", _System(self)),
            mock.patch.object(atomic_writes, "time", _Time(self.moment)),
            mock.patch.object(atomic_writes, "secrets", _Secrets(self)),
        ):
            yield

    def _before(self, what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def done(path: Path, *given: Any, **named: Any) -> Any:
            if path.is_relative_to(self.root) and not (what == "mkdir" and path.is_dir()):
                self.point(what, path)
            return work(path, *given, **named)

        return done

    def _open(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def done(path: Path, mode: str = "r", *given: Any, **named: Any) -> Any:
            if not path.is_relative_to(self.root):
                return opened(path, mode, *given, **named)
            self.point("read" if mode.startswith("r") else "create", path)
            file = opened(path, mode, *given, **named)
            return file if mode.startswith("r") else _Out(file, path, self)

        return done

    def flushed(self, handle: int) -> None:
        """A file, or a folder, is flushed; its time is the world's."""
        self.point("flush")
        os.utime(handle, (self.moment.seconds(), self.moment.seconds()))

    def token(self) -> str:
        """Eight hexadecimal digits, never the same."""
        self._tokens += 1
        return f"{self._tokens:08x}"

    def pid(self) -> int:
        """The number of the process that asks."""
        actor = self.actors.get(threading.current_thread())
        return actor.pid if actor else os.getpid()

    def is_alive(self, pid: int) -> bool:
        """Whether a process still runs."""
        return any(actor.pid == pid and not actor.dead for actor in self.actors.values())


class _Out:
    """A file that is written: each write is a point."""

    def __init__(self, file: Any, path: Path, world: World) -> None:
        self._file, self._path, self._world = file, path, world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, piece: Any) -> int:
        if self._world.point("write", self._path):
            self._file.write(bytes(piece)[: len(memoryview(piece)) // 2])
            self._file.flush()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._file.write(piece))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _System:
    """`os` with the processes of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.fsync, self.getpid = world.flushed, world.pid

    def kill(self, pid: int, _: int) -> None:
        if not self._world.is_alive(pid):
            raise ProcessLookupError

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class _Time:
    def __init__(self, moment: Moment) -> None:
        self.monotonic = self.time = moment.seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _Secrets:
    def __init__(self, world: World) -> None:
        self._world = world

    def token_hex(self, _: int) -> str:
        return self._world.token()

    def __getattr__(self, name: str) -> Any:
        return getattr(secrets, name)
