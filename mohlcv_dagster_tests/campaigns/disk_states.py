"""What a disk may hold after a power cut, by the calls that were made before it.

The disk promises what POSIX does. What was written to a file is on it once that file was flushed; before that, each
block of 4 kB may be there or not, and the file may have its new length already, with zeros in it. A name that was made,
moved or removed is so on it once its folder was flushed; before that, each such change may be there or not, whatever
became of the others. A rename is one change.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import PurePosixPath
from random import Random

from mohlcv_dagster_tests.campaigns.syscalls import Call

BLOCK = 4096
FOLDER = -1
MOST_CHANGES = 6
"""Up to so many unflushed changes of names, every subset of them is tried; of more, as many subsets by chance."""


@dataclass
class _File:
    flushed: bytes
    now: bytes

    @property
    def is_flushed(self):
        return self.flushed == self.now

    def as_cut(self, blocks, length):
        """Its content with only these of the blocks written, and this length."""
        content = bytearray(self.flushed[:length].ljust(length, b"\0"))
        for block in blocks:
            start = block * BLOCK
            content[start : start + BLOCK] = self.now[start : min(start + BLOCK, length)]
        return bytes(content[:length])

    def versions(self, random: Random, samples: int) -> Iterator[bytes]:
        """What may be on the disk: nothing new, all, zeros, cut short, and blocks by chance."""
        every = range(-(-len(self.now) // BLOCK))
        yield self.flushed
        if self.is_flushed:
            return
        yield self.now
        yield self.as_cut((), len(self.now))
        for _ in range(samples):
            some = [block for block in every if random.random() < random.choice((0.2, 0.5, 0.9))]
            length = random.choice((len(self.now), random.randrange(len(self.now) + 1)))
            yield self.as_cut(some, length)


@dataclass
class Disk:
    """A disk, as the calls made on it leave it.

    Args:
        before: the bytes of each file, by its path; all are flushed.
        root: the folder that paths of calls begin with.
    """

    before: dict[str, bytes]
    root: str
    files: list[_File] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    flushed: dict[str, int] = field(default_factory=dict)
    changes: list[dict[str, int | None]] = field(default_factory=list)
    complete: dict[str, list[bytes]] = field(default_factory=dict)
    _inodes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self):
        for path, content in self.before.items():
            self.names |= {str(each): FOLDER for each in PurePosixPath(path).parents}
            self.names[path] = len(self.files)
            self.files.append(_File(content, content))
            self.complete[path] = [content]
        self.names["."] = FOLDER
        self.flushed = dict(self.names)

    def make(self, call: Call) -> None:
        """Do what a call did."""
        path, other = (self._relative(each) for each in (call.path, call.other))
        made = {
            "opened": self._opened,
            "write": self._written,
            "pwrite": self._written,
            "writev": self._written,
            "ftruncate": self._cut,
            "fsync": self._flushed,
            "fdatasync": self._flushed,
        }.get(call.name)
        if made is not None:
            made(call, path)
        elif call.name in {"unlink", "rmdir"} and path in self.names:
            self._change({path: None})
        elif call.name == "mkdir" and path not in self.names:
            self._change({path: FOLDER})
        elif call.name == "link" and path in self.names:
            self._change({other: self.names[path]})
        elif call.name == "rename" and path in self.names and self.names[path] != self.names.get(other):
            self._change({path: None, other: self.names[path]})

    def _relative(self, path):
        return path.removeprefix(self.root).strip("/") or "."

    def _opened(self, call, path):
        if path not in self.names:
            self.files.append(_File(b"", b""))
            self._inodes[call.inode] = len(self.files) - 1
            self._change({path: len(self.files) - 1})

    def _file(self, call, path):
        return self.files[self._inodes.get(call.inode, self.names.get(path, FOLDER))]

    def _written(self, call, path):
        file = self._file(call, path)
        before = file.now[: call.offset].ljust(call.offset, b"\0")
        file.now = before + call.data + file.now[call.offset + len(call.data) :]

    def _cut(self, call, path):
        file = self._file(call, path)
        file.now = file.now[: call.offset].ljust(call.offset, b"\0")

    def _flushed(self, call, path):
        if self.names.get(path) != FOLDER:
            file = self._file(call, path)
            file.flushed = file.now
            return
        for change in self.changes:
            if _folder(change) == path:
                _apply(self.flushed, change)
        self.changes = [change for change in self.changes if _folder(change) != path]

    def _change(self, change):
        _apply(self.names, change)
        self.changes.append(change)
        for path, number in change.items():
            if number not in {None, FOLDER} and self.files[number].now:
                self.complete.setdefault(path, []).append(self.files[number].now)

    def states(self, random: Random, samples: int) -> Iterator[dict[str, bytes]]:
        """The trees that a power cut may leave now, some of them more than once.

        Args:
            random: chooses blocks.
            samples: choices of blocks for each choice of names.
        """
        for chosen in _subsets(self.changes, random):
            names = dict(self.flushed)
            for change in chosen:
                _apply(names, change)
            found = {path: number for path, number in names.items() if number != FOLDER and _is_reached(path, names)}
            torn = sorted({number for number in found.values() if not self.files[number].is_flushed})
            for contents in product(*(list(self.files[number].versions(random, samples)) for number in torn)):
                as_found = dict(zip(torn, contents, strict=True))
                yield {
                    path: as_found[number] if number in as_found else self.files[number].now
                    for path, number in found.items()
                }


def _folder(change):
    return str(PurePosixPath(next(iter(change))).parent)


def _apply(names, change):
    for path, number in change.items():
        if number is None:
            names.pop(path, None)
        else:
            names[path] = number


def _is_reached(path, names):
    return all(str(folder) in names for folder in PurePosixPath(path).parents)


def _subsets(changes: list, random: Random) -> Iterable[list]:
    if len(changes) <= MOST_CHANGES:
        kept = product((False, True), repeat=len(changes))
    else:
        kept = ([random.random() < 0.5 for _ in changes] for _ in range(1 << MOST_CHANGES))
    return ([change for change, is_kept in zip(changes, each, strict=True) if is_kept] for each in kept)
