"""What `mohlcv adopt` found and did, in words and as JSON."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mohlcv_dagster.cli.console import FAILED, OK, WARNED

if TYPE_CHECKING:
    from rich.console import Console

    from mohlcv_dagster.defs.adoption import AdoptedFile
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.storage.adoption_survey import Deviation
    from mohlcv_dagster.storage.repair import Rewritten


@dataclass
class Report:
    """What was found and done.

    Attributes:
        dry_run: whether it was only to be told.
        strange: files whose names are not the layout's.
        outside: files of the layout that have no partition here, each with the reason.
        rewritten: what became of the faulty files.
        entries: what became of each file.
    """

    dry_run: bool
    strange: "list[Deviation]" = field(default_factory=list)
    outside: "dict[BarFile, str]" = field(default_factory=dict)
    rewritten: "list[Rewritten]" = field(default_factory=list)
    entries: "list[AdoptedFile]" = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Whether a file is not right."""
        refused = any(not each.done for each in self.rewritten)
        return bool(self.strange) or refused or any(entry.red or not entry.readable for entry in self.entries)

    def told(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {
            "dry_run": self.dry_run,
            "files": [
                {
                    "path": str(entry.file.path),
                    "registered": entry.registered,
                    "evaluations": entry.evaluated,
                    "readable": entry.readable,
                    "faults": {str(each.fault): each.message for each in entry.deviations},
                    "failing checks": dict(entry.red),
                }
                for entry in self.entries
            ],
            "names": [asdict(each) for each in self.strange],
            "outside": {str(file.path): why for file, why in self.outside.items()},
            "rewritten": {str(each.file.path): each.said for each in self.rewritten if each.done},
            "refused": {str(each.file.path): each.said for each in self.rewritten if not each.done},
        }

    def show(self, console: "Console") -> None:
        """Print it, a line for each thing, and a summary."""
        from rich.markup import escape  # noqa: PLC0415 - it takes its time to load

        would = "would be rewritten" if self.dry_run else "rewritten"
        for each in self.rewritten:
            mark, what = (OK, would) if each.done else (FAILED, "not mended")
            console.print(f"{mark} {escape(str(each.file.path))}  {what}: {escape(each.said)}")
        for told in self.strange:
            console.print(f"{FAILED} {escape(told.path)}  {told.fault}: {escape(told.message)}")
        for file, why in self.outside.items():
            console.print(f"- {escape(str(file.path))}  not registered: {escape(why)}")
        for entry in self.entries:
            _show(console, entry)
        console.print(f"\n{self._summary()}")

    def _summary(self) -> str:
        entries = self.entries
        red = sum(bool(entry.red) and entry.readable for entry in entries)
        broken = sum(not entry.readable for entry in entries)
        of = f"{len(entries):,} files: "
        if self.dry_run:
            faulty = sum(bool(entry.deviations) for entry in entries)
            nothing = "Nothing was recorded or written."
            return f"{of}{faulty:,} not as the contract says, {broken:,} of them unreadable. {nothing}"
        right = len(entries) - red - broken
        state = f"{right:,} right, {red:,} with failing checks, {broken:,} unreadable and not registered"
        if not any(entry.is_news for entry in entries) and not any(each.done for each in self.rewritten):
            return f"{of}{state}. Nothing to do: all that can be is registered as it stands."
        new = sum(entry.registered for entry in entries)
        evaluated = sum(entry.evaluated for entry in entries)
        return f"{of}{state}. {new:,} registered now, {evaluated:,} results of checks recorded."


def _show(console: "Console", entry: "AdoptedFile") -> None:
    from rich.markup import escape  # noqa: PLC0415 - it takes its time to load

    path = escape(str(entry.file.path))
    mark = FAILED if entry.red or not entry.readable else WARNED
    for each in entry.deviations:
        console.print(f"{mark} {path}  {each.fault}: {escape(each.message)}")
    if not entry.readable:
        console.print(f"    it is not registered as it stands. {_AGAIN}")
    elif entry.red:
        console.print(f"{FAILED} {path}  failing: {escape(', '.join(entry.red))}")
        if not entry.deviations:
            for message in entry.red.values():
                console.print(f"    {escape(message)}")


_AGAIN = "Fetch it again: mohlcv fetch --force, or materialize the partition"
