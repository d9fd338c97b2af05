"""The kinds of difference between our minutes and the vendor's, in words: what each means, and what shows it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a minute that differs is a case of; each is of one kind only."""

    NEGATIVE_VOLUME = "negative_volume"
    SHIFTED_LABEL = "shifted_label"
    SPLIT_BASIS = "split_basis"
    MONTH_EDGE = "month_edge"
    AUCTION_PRINT = "auction_print"
    VOLUME_ONLY_PRINT = "volume_only_print"
    LATE_PRINT = "late_print"
    MISSING_SECOND = "missing_second"
    EXTRA_PRINT = "extra_print"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Meaning:
    """A kind in words.

    Attributes:
        means: what happened.
        evidence: what must be seen in the bars.
        advice: what to do, a sentence.
        wrong: whether one such minute shows that something is wrong; the others are known ways of the vendor.
    """

    means: str
    evidence: str
    advice: str
    wrong: bool = False


KINDS: Final = {
    Kind.NEGATIVE_VOLUME: Meaning(
        "nobody trades less than nothing: a correction that was left among the bars",
        "a side of the minute, or one of our seconds in it, has a volume below zero; whether or not the sides agree",
        "Report the minutes to the vendor.",
        wrong=True,
    ),
    Kind.SHIFTED_LABEL: Meaning(
        "one of the two sides labels its bars too early or too late, or both label them early",
        "our seconds of a whole session, or of the month, fit when they are relabelled by 1 or 2 seconds, a minute, an "
        "hour, or the 4 or 5 hours between Eastern time and UTC: at least 3 more minutes agree then and at most a "
        "third as many differ as before, altogether or in prices or volume alone. Or both sides agree and the largest "
        "volume around the opening bell, twice any other, stands in the second before it, in 3 of 4 sessions and at "
        "least 2",
        "Do not use the months before it is known which side is right; report both request ids to the vendor.",
        wrong=True,
    ),
    Kind.SPLIT_BASIS: Meaning(
        "one side is adjusted for splits (or counts volume in another unit), the other is not",
        "over a session or the month, the vendor's prices are ours times one factor, to half a cent, in at least 95 % "
        "of the minutes and as they stand in at most 5 %; or the same of the volumes, within 0.5 %",
        "Compare MASSIVE_ADJUSTED with the flag recorded of the month; re-materialize raw_1s with the one you want.",
        wrong=True,
    ),
    Kind.MONTH_EDGE: Meaning(
        "one side cuts the month elsewhere",
        "a minute of the month's last hour, or before its first Eastern midnight, is after the last (before the first) "
        "minute of the side that lacks it; or the month's very first or last minute has more on one side",
        "If it is our side that ends early, re-materialize raw_1s.",
    ),
    Kind.AUCTION_PRINT: Meaning(
        "the print of the opening or closing auction is counted on one side only",
        "in the minute of the opening bell, the last before the closing bell or the first after it (early closes "
        "too), one side has at least a tenth of the minute or the session's median minute more, and its range covers "
        "the other's, or it has twice as much; or it has the minute alone, in a session that both have",
        "Nothing need be done: a known way of the vendor. Do not mix both in one study of the bells.",
    ),
    Kind.VOLUME_ONLY_PRINT: Meaning(
        "a print that counts for volume and not for prices is in the vendor's minute alone",
        "all four prices are equal, and the vendor's volume is more than 0.5 % larger",
        "Nothing need be done: a known way of the vendor. If there are many, re-materialize raw_1s: they may be new.",
    ),
    Kind.LATE_PRINT: Meaning(
        "a print that was reported late, and does not count for open and close, is in the vendor's minute alone",
        "open and close are equal, the vendor's volume is larger, its range covers ours and is wider",
        "Re-materialize raw_1s: the vendor's seconds may have it by now.",
    ),
    Kind.MISSING_SECOND: Meaning(
        "the vendor's minute counts trades of which we have no second",
        "the vendor alone has the minute; or its volume is larger, its range covers ours, and open (close) differs "
        "where we have nothing in the minute's first (last) second",
        "Re-materialize raw_1s: the vendor's seconds may have it by now.",
    ),
    Kind.EXTRA_PRINT: Meaning(
        "our seconds count a print that the vendor's minute does not: cancelled since, or a bad one",
        "the mirror of the three above: our volume is larger, our range covers the vendor's, and open (close) differs "
        "only where our first (last) second alone can be too much; or we alone have the minute, with volume",
        "Re-materialize raw_1s: the vendor may have taken the print back. Look at the prices of the minutes before.",
    ),
    Kind.UNKNOWN: Meaning(
        "no known way of the vendor explains it",
        "everything else, such as a close that differs at the same volume; and prints told by no more than 0.5 % "
        "of volume where they are more than 3 and more than 1 % of a session's minutes",
        "Re-materialize raw_1s; if it stays, do not rely on the month and report the minutes to the vendor.",
        wrong=True,
    ),
}
"""Every kind, in the order in which they are tried, save that `causes` sees whole sessions first."""
