"""How counts, durations, text from outside and addresses are written in messages.

Text from outside is what the vendor, a webhook or a command says: it may be long, and control a terminal. Addresses may
hold credentials.
"""

import re
from typing import Final
from urllib.parse import urlsplit

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400

MOST_FROM_OUTSIDE: Final = 200
"""Characters that are shown and stored of a text from outside."""
_CREDENTIALS: Final = re.compile(r"[?#]|//.*:.*@|//(?:\[[^/@]*\])?[^/\[]*:(?!\d)", re.DOTALL)
"""A query, a fragment, a colon with an `@` behind it, or one that no port follows."""
_LOCAL: Final = ("file:", "local:")


def quantity(count: int, noun: str) -> str:
    """A count with its noun: `1 file`, `2,100 files`. The plural of `noun` must end in `s`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration in the unit that fits: `1 s` (at the least), `75 s`, `10 min`, `2.5 h`, `3.5 days`."""
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def escaped(text: str) -> str:
    r"""`text` on one line and without effect on a terminal. Escaping it again changes nothing.

    ESC becomes `\x1b`, a line end `\n`, a bidi override such as `\u202e`, and half a surrogate pair, which no file in
    UTF-8 can hold, such as `\ud800`.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def printable(text: str) -> str:
    """A text from outside: escaped, and cut to `MOST_FROM_OUTSIDE` characters."""
    shown = escaped(text[: MOST_FROM_OUTSIDE + 1])
    return shown if len(shown) <= MOST_FROM_OUTSIDE else f"{shown[: MOST_FROM_OUTSIDE - 1]}…"


def printable_bytes(content: bytes) -> str:
    """The same of bytes that should be UTF-8; those that are not are escaped."""
    return printable(content[: 4 * (MOST_FROM_OUTSIDE + 1)].decode(errors="backslashreplace"))


def quoted(value: str | bytes) -> str:
    """A value of a file in quotes, printable and cut."""
    return f"'{printable(value) if isinstance(value, str) else printable_bytes(value)}'"


def has_credentials(address: str) -> bool:
    """Whether a URL may hold a password or a token; chained ones such as `simplecache::sftp://user:pw@host` too.

    One that cannot be read may hold anything. The URL of a local file holds none.
    """
    if address.lstrip().lower().startswith(_LOCAL):
        return False
    try:
        urlsplit(address)
    except ValueError:
        return True
    return _CREDENTIALS.search(address) is not None


def without_credentials(address: str) -> str:
    """A URL with its scheme, host, port and path alone; any other text, such as a path, as it is."""
    if "://" not in address:
        return address
    try:
        url = urlsplit(address)
        host = f"{url.hostname or ''}:{url.port}" if url.port else url.hostname or ""
    except ValueError:
        return address.partition("://")[0] + "://…"
    return f"{url.scheme}://{host}{url.path}"
