"""Objects of a store behind an fsspec URL: one request each, never from a cache, and every failure an `OSError`.

A store's package has exceptions of its own, for a store that does not answer or that breaks off an answer; they would
pass what expects a disk's. What it listed before is forgotten, since another host may have written since.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mohlcv_dagster.errors import MohlcvError

if TYPE_CHECKING:
    from upath import UPath

_ETAGS: Final = ("ETag", "etag")
"""Keys under which the fsspec stores of S3, Azure and Google report an object's ETag."""
_S3: Final = frozenset({"s3", "s3a"})
_TRIES: Final = 2
_S3_OPTIONS: Final[dict[str, Any]] = {"config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 3}}}
_LARGEST_PUT: Final = 5 << 30
"""Bytes up to which S3 takes an object in one PUT."""


def opened(url: str) -> "UPath":
    """The object or prefix at an fsspec URL, with bounds on how often a request to S3 is repeated.

    As they come, botocore and s3fs repeat a read that is not answered 125 times, each after 15 s. Here it is 12 times,
    and a write 6 times; `config_kwargs` in fsspec's own configuration of S3 has precedence.

    Raises:
        ValueError, ImportError: it is a URL of a store that is unknown or not installed.
    """
    from upath import UPath  # noqa: PLC0415 - stores take a while to load, and a folder needs none

    at = UPath(url)
    if at.protocol not in _S3:
        return at
    from fsspec.config import conf  # noqa: PLC0415 - as above

    at = at if "config_kwargs" in conf.get("s3", {}) else UPath(url, **_S3_OPTIONS)
    at.fs.retries = _TRIES
    return at


@contextmanager
def os_errors() -> Iterator[None]:
    """Raise whatever a store's package raises as an `OSError`, with what it says.

    Raises:
        OSError: the store failed.
    """
    try:
        yield
    except (OSError, MohlcvError):
        raise
    except Exception as error:  # each store's package has its own
        raise OSError(f"the store failed: {error or type(error).__name__}") from error


def put(at: "UPath", content: bytes, sha256: bytes) -> str:
    """Write an object; its ETag, empty if the store did not report it.

    In S3 it is one PUT, with the digest by which S3 refuses a body that was changed on the way. The ETag is the answer
    to this very request: one that is asked for afterwards may be that of another writer.

    Args:
        at: the object, which may exist.
        content: its bytes.
        sha256: their digest.

    Raises:
        OSError: the store refused, failed or did not answer; what is there is as before, or complete.
    """
    with os_errors():
        if at.protocol not in _S3:
            at.fs.pipe_file(at.path, content)
            return _stamp_if_known(at)
        checksum = base64.b64encode(sha256).decode()
        answer = at.fs.pipe_file(at.path, content, chunksize=_LARGEST_PUT, ChecksumSHA256=checksum)
        return str((answer or {}).get("ETag", ""))


def _stamp_if_known(at: "UPath") -> str:
    """The stamp of an object that was just written; empty if the store does not answer: the object is complete."""
    try:
        return stamp_and_size(at)[0]
    except OSError:
        return ""


def get(at: "UPath") -> bytes:
    """All bytes of an object, in one request; another one proves that they are all.

    Raises:
        OSError: it is not there, or the store failed, did not answer or broke off the answer.
    """
    for _ in range(_TRIES):  # it may have been replaced between the two requests
        with os_errors():
            found = bytes(at.fs.cat_file(at.path, **({"max_concurrency": 1} if at.protocol in _S3 else {})))
        _, size = stamp_and_size(at)
        if len(found) == size:
            return found
    raise _broken_off(len(found), size)


def require_whole(opened: object, size: int) -> None:
    """Refuse an object that was opened for reading and gave another number of bytes than the store says it has.

    Raises:
        OSError: such an object.
    """
    expected = getattr(opened, "size", size)
    if size != expected:
        raise _broken_off(size, expected)


def _broken_off(given: int, expected: int) -> OSError:
    return OSError(f"the store gave {given:,} of {expected:,} bytes")


def info(at: "UPath") -> dict[str, object]:
    """What the store says of an object now.

    Raises:
        OSError: it is not there, or the store failed or did not answer.
    """
    with os_errors():
        at.fs.invalidate_cache(at.path)
        return dict(at.fs.info(at.path))


def stamp_and_size(at: "UPath") -> tuple[str, int]:
    """Its ETag, or another text that changes whenever it is written; and its bytes.

    Raises:
        OSError: as `info`.
    """
    found = info(at)
    with os_errors():
        return _etag(found) or str(at.fs.ukey(at.path)), int(str(found["size"]))


def exists(at: "UPath") -> bool:
    """Whether there is an object now.

    Raises:
        OSError: the store failed or did not answer; that is no absence.
    """
    try:
        return info(at).get("type") == "file"
    except FileNotFoundError:
        return False


def names(folder: "UPath") -> list[str]:
    """The names directly under a prefix now; none where there is nothing.

    Raises:
        OSError: the store failed or did not answer; that is no absence.
    """
    with os_errors():
        folder.fs.invalidate_cache(folder.path)
        try:
            found = folder.fs.ls(folder.path, detail=False)
        except FileNotFoundError:
            return []
    return [str(each).rstrip("/").rpartition("/")[2] for each in found]


def _etag(found: dict[str, object]) -> str:
    return next((str(found[name]) for name in _ETAGS if found.get(name)), "")
