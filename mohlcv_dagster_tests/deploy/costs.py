"""What the parts of several hosts spend: processor time, database, store, vendor. No test."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_REQUEST = re.compile(r'"(?:\x1b\[\d+m)*(GET|PUT|HEAD|POST|DELETE) /archive')


def processor_seconds(process):
    """Of a process and all that it started and that still runs or was waited for."""
    children = Counter()
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        children[pid] = sum(map(int, fields[11:15]))
    return sum(ticks for pid, ticks in children.items() if _is_below(pid, process.pid, parents)) / _TICKS


def _is_below(pid, root, parents):
    while pid and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


@dataclass(frozen=True)
class Costs:
    """What was spent until an instant.

    Attributes:
        seconds: of processors, by the name of the part.
        commits, rows, log: transactions, rows written and bytes of PostgreSQL's write-ahead log.
        database: bytes that the database takes.
        store: requests to the store.
        vendor: requests to the vendor.
    """

    seconds: dict
    commits: int
    rows: int
    log: int
    database: int
    store: int
    vendor: int

    @classmethod
    def until_now(cls, hosts, vendor):
        """What these hosts and the stand-in vendor have spent."""
        parts = {"webserver": [hosts.ui], "daemon": [hosts.daemon], "code server": [hosts.code]}
        parts |= {"workers": hosts.workers, "store": [hosts.store], "Redis": [hosts.redis]}
        seconds = {name: sum(processor_seconds(each.process) for each in given) for name, given in parts.items()}
        seconds["PostgreSQL"] = processor_seconds(hosts.database._server)
        [[commits, rows]] = hosts.query(
            "SELECT xact_commit, tup_inserted + tup_updated FROM pg_stat_database WHERE datname = current_database()"
        )
        [[log, size]] = hosts.query(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, pg_database_size(current_database())"
        )
        asked = len(_REQUEST.findall(hosts.store.log.read_text(errors="replace")))
        return cls(seconds, int(commits), int(rows), int(log), int(size), asked, len(vendor.requests))

    def since(self, before):
        """What was spent since `before`."""
        both = {name: self.seconds[name] - before.seconds[name] for name in self.seconds}
        numbers = {name: vars(self)[name] - vars(before)[name] for name in vars(self) if name != "seconds"}
        return Costs(both, **numbers)

    def a_month(self, months):
        """One line of a table: each by the number of months."""
        seconds = ", ".join(f"{name} {spent / months:.2f}" for name, spent in self.seconds.items())
        numbers = (
            f"{self.commits / months:.0f} commits, {self.rows / months:.0f} rows, {self.log / months / 1000:.0f} kB of "
            f"log, {self.database / months / 1000:.0f} kB of database, "
            f"{self.store / months:.0f} requests to the store, {self.vendor / months:.1f} to the vendor"
        )
        return f"a month: CPU seconds: {seconds}; {numbers}"
