"""Characters that a terminal or a file of another encoding than UTF-8 cannot hold: each costs a glyph, no more."""

import codecs
import io
import sys
from typing import Final

_HANDLER: Final = "mohlcv.glyphs"
_ASCII: Final = "mohlcv_ascii"
"""ASCII by another name: click takes a stream in ASCII for a mistake and writes UTF-8 to it."""
_PLAIN: Final = {"✓": "+", "✗": "x", "→": "->", "…": "...", "×": "x", "·": ".", "─": "-", "│": "|"}
"""What stands for characters that we print ourselves; any other one becomes a question mark."""


def replace_unwritable() -> None:
    """Have standard output and standard error replace what they cannot encode, also half of a pair of surrogates."""
    codecs.register_error(_HANDLER, _replaced)
    codecs.register(_codec)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=_HANDLER)


def holds_every_character() -> bool:
    """Whether standard output is in UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name == "utf-8"


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        incrementalencoder=plain.incrementalencoder,
        incrementaldecoder=plain.incrementaldecoder,
        name=_ASCII,
    )


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end
