"""What is stored of each symbol: its months, its aggregates, and their state by the manifest. No bar is read."""

from collections import Counter
from dataclasses import dataclass, field

from mohlcv_dagster.errors import FileError, ManifestEntryError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.locations import read_file


@dataclass
class StoredSymbol:
    """What is stored of a symbol.

    Attributes:
        months: of its raw files, in order.
        aggregates: how many months each timeframe has.
        provisional: how many raw months are not final.
        errors: how many of its files fail a rule as an error, as last checked.
        warnings: how many others have a rule that warns.
        not_checked: how many have no valid manifest entry, or one without results.
    """

    symbol: str
    months: list[Month] = field(default_factory=list)
    aggregates: Counter[Timeframe] = field(default_factory=Counter)
    provisional: int = 0
    errors: int = 0
    warnings: int = 0
    not_checked: int = 0

    @property
    def missing(self) -> int:
        """How many months between the first and the last have no raw file."""
        return len(list(self.months[0].until(self.months[-1]))) - len(self.months) if self.months else 0

    @property
    def state(self) -> str:
        """What is to be known of it, in a few words; `checks passed` where there is nothing else."""
        parts = [
            (self.errors, "file", "with errors"),
            (self.missing, "month", "missing"),
            (self.provisional, "month", "provisional"),
            (self.warnings, "file", "with warnings"),
            (self.not_checked, "file", "not checked"),
        ]
        told = ", ".join(f"{quantity(count, what)} {words}" for count, what, words in parts if count)
        return told or ("checks passed" if self.months or self.aggregates else "nothing stored")

    def document(self) -> dict[str, object]:
        """For JSON."""
        first, last = (str(self.months[0]), str(self.months[-1])) if self.months else (None, None)
        return {
            "symbol": self.symbol,
            "months": len(self.months),
            "first": first,
            "last": last,
            "missing": self.missing,
            "timeframes": {each.name: self.aggregates[each] for each in sorted(self.aggregates)},
            "provisional": self.provisional,
            "errors": self.errors,
            "warnings": self.warnings,
            "not_checked": self.not_checked,
        }

    @property
    def timeframes(self) -> str:
        """`15s, 1min`; a timeframe that fewer months have is followed by how many."""
        counts = ((each, self.aggregates[each]) for each in sorted(self.aggregates))
        return ", ".join(each.name if n == len(self.months) else f"{each.name} ({n})" for each, n in counts)


def of_symbols(archive: Archive) -> dict[str, StoredSymbol]:
    """What is stored of each symbol, in order of the symbols.

    Raises:
        FileError: the disk refused.
    """
    found: dict[str, StoredSymbol] = {}
    for file in archive.files():
        _add(found.setdefault(file.symbol, StoredSymbol(file.symbol)), archive, file)
    for each in found.values():
        each.months.sort()
    return dict(sorted(found.items()))


def _add(stored: StoredSymbol, archive: Archive, file: BarFile) -> None:
    if file.timeframe == RAW:
        stored.months.append(file.month)
    else:
        stored.aggregates[file.timeframe] += 1
    entry = _entry(archive, file)
    failed = [check for check in entry.checks if not check.passed] if entry is not None else []
    if entry is None or not entry.checks:
        stored.not_checked += 1
    elif any(check.is_error for check in failed):
        stored.errors += 1
    elif failed:
        stored.warnings += 1
    if entry is not None and file.timeframe == RAW and entry.state == "provisional":
        stored.provisional += 1


def _entry(archive: Archive, file: BarFile) -> ManifestEntry | None:
    """The manifest entry of `file`; `None` where there is none that can be read.

    Not by `storage.manifest`, which loads the rules and with them the libraries of arrays.
    """
    at = archive.root / str(manifest_entry.path_of(file))
    try:
        return ManifestEntry.decode(read_file(at))
    except (FileNotFoundError, ManifestEntryError):
        return None
    except OSError as error:
        raise FileError(f"the manifest entry {at} could not be read: {error}") from error
