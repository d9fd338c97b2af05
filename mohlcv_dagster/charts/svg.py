"""SVG elements as text, scales from values to pixels, round ticks and colours."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import escape, quoteattr

INK: Final = "#727b8a"
"""Text and lines: a contrast of 4.3 against the background of the light and of the dark theme."""
RISE: Final = "#159a86"
FALL: Final = "#e0563f"
BLUE: Final = "#3d82d8"
AMBER: Final = "#d9940f"
RED: Final = "#d8343c"

_ROUND_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_THOUSAND: Final = 1000.0


@dataclass(frozen=True)
class Picture:
    """A picture with its text alternative.

    Attributes:
        svg: the document.
        alt: its content in a sentence, without square brackets, for those who cannot see it.
    """

    svg: str
    alt: str

    @property
    def markdown(self) -> str:
        """The picture inline in markdown, without a file."""
        return f"![{self.alt}](data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()})"


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels.

    Attributes:
        low: the value drawn at `start`.
        high: the value drawn at `end`; not `low`.
        start: pixels.
        end: pixels.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where `value` is drawn, in pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def picture(width: int, height: int, alt: str, elements: Iterable[str]) -> Picture:
    """A document of `width` × `height` pixels with these elements, later ones on top."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">'
    )
    return Picture(head + "".join(elements) + "</svg>", alt)


def text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    """Words with their base line at (`x`, `y`); `anchor` is start, middle or end."""
    more = ("" if anchor == "start" else f' text-anchor="{anchor}"') + (' font-weight="bold"' if bold else "")
    return f'<text x="{number(x)}" y="{number(y)}"{more}>{escape(words)}</text>'


def path(steps: Sequence[str], **attributes: str) -> str:
    """A path of these steps, empty where there are none. The attribute `stroke_width` is written stroke-width."""
    named = "".join(f" {name.replace('_', '-')}={quoteattr(value)}" for name, value in attributes.items())
    return f'<path d="{"".join(steps)}"{named}/>' if steps else ""


def box(x: float, y: float, width: float, height: float) -> str:
    """The steps of a path around a rectangle with its upper left corner at (`x`, `y`)."""
    return f"M{number(x)} {number(y)}h{number(width)}v{number(height)}h{number(-width)}z"


def number(value: float) -> str:
    """A coordinate with at most one decimal: `12`, `12.5`."""
    return f"{round(value, 1):g}" if abs(value) < _THOUSAND else f"{round(value)}"


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values from `low` to `high` inclusive, `about` as many as given."""
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * each for each in _ROUND_STEPS if power * each >= rough * (1 - 1e-9))
    around = [step * n for n in range(floor(low / step), ceil(high / step) + 1)]
    return [tick for tick in around if low - step * 1e-9 <= tick <= high + step * 1e-9]


def decimals(low: float, high: float) -> int:
    """How many decimals distinguish ticks between `low` and `high`."""
    return max(0, 1 - floor(log10(high - low)))


def short(value: float) -> str:
    """A number of zero or more in few characters: `950`, `12.3 k`, `4.57 M`."""
    for unit in ("", " k", " M"):
        if value < _THOUSAND:
            return f"{value:.3g}{unit}"
        value /= _THOUSAND
    return f"{value:,.3g} B" if value < _THOUSAND else f"{value:,.0f} B"
