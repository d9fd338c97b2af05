"""The columns of a bar: their names and order, and what they hold in words. Their types in memory are in `schema`."""

from typing import Final

TIME: Final = "ts_event"
PRICES: Final = ("open", "high", "low", "close")
VOLUME: Final = "volume"
COLUMNS: Final = (TIME, *PRICES, VOLUME)

MEANINGS: Final = {
    TIME: "start of the bar (inclusive), UTC, whole seconds",
    "open": "price of the first trade in the bar, US dollars a share",
    "high": "highest price traded in the bar, US dollars a share",
    "low": "lowest price traded in the bar, US dollars a share",
    "close": "price of the last trade in the bar, US dollars a share",
    VOLUME: "shares traded in the bar; whole numbers where every volume of the month is whole",
}
"""What each column holds, in words for a catalogue."""

UNITS: Final = {TIME: "UTC", **dict.fromkeys(PRICES, "USD/share"), VOLUME: "shares"}

BOUNDS: Final = {
    TIME: ("rises strictly", "inside the file's UTC month", "on the timeframe's grid"),
    **dict.fromkeys(PRICES, ("above 0", "finite")),
    VOLUME: ("0 or more", "at most 6 decimals", "one type in all of a month"),
}
"""What holds for each column alone, in words for a catalogue; the rules judge it."""

BOUNDS_BETWEEN: Final = ("low <= open, close <= high", "no trades, no row")
"""What holds between columns and between rows."""
