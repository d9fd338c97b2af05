"""Finds in what a run leaves behind what must not be there: a key in any spelling, codes of a terminal. No test."""

import base64
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, rings, or turns the writing round; a tab and a line end do none of it."""
CODES_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:00[01][0-8b-f]|00[89]|20(?:0[b-f]|2[a-e])|d[89a-f])", re.IGNORECASE)


def spellings(key: str) -> list[bytes]:
    """The key as it is, in a URL, in JSON's escapes, in hexadecimal, in base64 behind 0 to 2 bytes."""
    texts = [key, quote(key, safe=""), "".join(f"%{ord(each):02x}" for each in key), key.encode().hex()]
    texts += ["".join(f"\\u{ord(each):04x}" for each in key)]
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # the digits at both ends also depend on what is before and behind
            texts.append(encode(b"x" * before + key.encode() + b"x" * 3).decode()[before + 2 : -6])
    return [text.encode() for text in dict.fromkeys(texts)]


def files_with(folder: Path, needles: list[bytes]) -> list[str]:
    """Each file under `folder` whose bytes hold one of `needles`, databases and what they write ahead included."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    )


def texts_of(folder: Path) -> dict[str, str]:
    """The text of every file under `folder`; of a database, of every cell."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".parquet")):
            content = path.read_bytes()
            database = content.startswith(b"SQLite format 3\0")
            found[path.relative_to(folder).as_posix()] = (
                _cells(path) if database else content.decode("utf-8", "replace")
            )
    return found


def _cells(database: Path) -> str:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        rows = (row for table in tables for row in connection.execute(f'select * from "{table}"'))  # noqa: S608 - its own
        text = "\n".join(cell for row in rows for cell in row if isinstance(cell, str))
    connection.close()
    return text
