"""How many bars a revision is about, which is recorded, and how many a month may lose. Which they are: `revision`."""

from dataclasses import dataclass
from typing import Final

MOST_LOST: Final = 10
LARGEST_SHARE_LOST: Final = 0.001
"""A month may lose `MOST_LOST` settled bars, or this share of them where that is more."""


@dataclass(frozen=True)
class Counts:
    """How many bars a revision is about.

    Attributes:
        compared: bars there were before.
        changed: bars with another price or volume.
        gained: bars there were not before.
        lost: bars that are no longer there.
    """

    compared: int
    changed: int = 0
    gained: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """Bars that are not as they were."""
        return self.changed + self.gained + self.lost

    @property
    def allowed_loss(self) -> int:
        """The most bars that may be lost."""
        return max(MOST_LOST, int(self.compared * LARGEST_SHARE_LOST))
