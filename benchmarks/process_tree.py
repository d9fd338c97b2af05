"""The CPU that a process and everything it started has used, from Linux's `/proc`."""

import os
from pathlib import Path


def cpu_of(root: int) -> float:
    """Seconds of CPU, user and system, of a process and its descendants, those that have ended among them.

    A process that has ended counts with the one that waited for it.
    """
    stats = _stats()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    tree, left = set(), [root]
    while left:
        pid = left.pop()
        tree.add(pid)
        left += children.get(pid, [])
    return sum(stats[pid][1] for pid in tree if pid in stats) / os.sysconf("SC_CLK_TCK")


def own_cpu_of(pid: int) -> float:
    """Seconds of CPU, user and system, of a process without those that it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that are there, the oldest first."""
    return sorted(child for child, (parent, _) in _stats().items() if parent == pid)


def _stats() -> dict[int, tuple[int, int]]:
    """Of each process its parent and its clock ticks, those of children that it waited for included."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
            found[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    return found
