"""What commands say where nothing is stored: of all symbols, or of one."""

from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import FileMissingError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import HISTORY_FOLDER

if TYPE_CHECKING:
    from mohlcv_dagster.storage.archive import Archive

_SHOWN: Final = 12
_EXAMPLE: Final = "SPY"


NOTHING: Final = f"Nothing is stored yet. Fetch {_EXAMPLE} first."


def require_something(archive: "Archive", symbol: str = _EXAMPLE) -> None:
    """Refuse an archive without files; `symbol` is the one that is asked for.

    Raises:
        FileMissingError: neither a file of bars nor a manifest entry nor a former version is there.
    """
    folders = (archive.raw, archive.aggregated, archive.root / manifest_entry.FOLDER, archive.root / HISTORY_FOLDER)
    if not any(True for folder in folders if folder.is_dir() for _ in folder.glob("*/*")):
        raise FileMissingError(NOTHING.replace(_EXAMPLE, symbol))


def require_symbol(archive: "Archive", symbol: str) -> None:
    """Refuse a symbol without raw files; the message names those that have some.

    Raises:
        FileMissingError: there is none.
    """
    require_something(archive, symbol)
    if any(True for _ in (archive.raw / symbol).glob(f"{symbol}_*.csv")):
        return
    stored = sorted({at.parent.name for at in archive.raw.glob("*/*.csv")})
    more = f" and {len(stored) - _SHOWN} more" if len(stored) > _SHOWN else ""
    there = f"; there are {', '.join(stored[:_SHOWN])}{more}" if stored else ""
    raise FileMissingError(f"No raw file of {symbol} is stored in {archive.raw}{there}. Fetch {symbol} first.")
