"""Where processes count their requests together: a file, Redis or PostgreSQL, through the buckets of pyrate-limiter.

A bucket holds a moment for each request, those that are booked for later too. A second one holds the moments until
which the vendor asked to wait. Putting a moment into a bucket is atomic in each store, and refused where the limit is
reached: then another process was faster, and the next free moment is looked for again.

Nothing here waits longer than `PATIENCE` for a store. A process that is killed leaves no lock: that of the file is the
system's own, that of PostgreSQL ends with the connection, and Redis needs none.
"""

import hashlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from pyrate_limiter import AbstractBucket, PostgresBucket, Rate, RateItem, RedisBucket, SQLiteBucket, SQLiteQueries

from mohlcv_dagster.errors import MohlcvError, SettingsError
from mohlcv_dagster.formatting import printable, without_credentials
from mohlcv_dagster.settings import LIMIT_STORE

if TYPE_CHECKING:
    import psycopg

PATIENCE: Final = 5.0
"""Seconds that a store may take to answer."""
_PACKAGES: Final = {"redis": "redis", "rediss": "redis", "postgresql": "psycopg", "postgres": "psycopg"}
"""By the scheme of the URL: the package that the store needs."""
_INSTALLED_BY: Final = {"redis": "uv add redis", "psycopg": "uv add 'psycopg[binary]'"}
_UNBOUNDED: Final = 1 << 30
"""The limit of the bucket of waits that the vendor asked for, in which any number may be."""

_Bucket: TypeAlias = Callable[[str, Rate], AbstractBucket]
"""Makes the bucket with a name."""


class UnusableStoreError(MohlcvError):
    """A store cannot be reached, or does not do what is asked of it."""


@dataclass
class LimitStore:
    """A store that was opened; for one thread at a time.

    Attributes:
        bucket: makes a bucket in it.
        now: milliseconds, the same for all that share the store.
        close: ends the connection.
        errors: what its client raises.
        name: what is limited, in letters, digits and `_`.
        window: milliseconds that the limit is counted in.
    """

    bucket: _Bucket
    now: Callable[[], int]
    close: Callable[[], object]
    errors: tuple[type[Exception], ...]
    name: str
    window: int

    def __post_init__(self) -> None:
        self._sent: tuple[int, AbstractBucket] | None = None
        self._held = self.bucket(f"{self.name}_held", Rate(_UNBOUNDED, self.window))
        self._cleared_at = 0

    def book(self, per_minute: int) -> float:
        """Book the next free moment for one request; the seconds until then.

        Raises:
            UnusableStoreError: the store failed.
        """
        with _explained(self.errors):
            sent = self._bucket_for(per_minute)
            began = time.monotonic()
            while True:
                now = self.now()
                nth = _newest(sent, per_minute - 1)
                moment = max(now, _newest(self._held), nth + self.window + 1)
                if sent.put(RateItem("request", moment)):
                    self._clear(now)
                    return (moment - now) / 1000
                if time.monotonic() - began > PATIENCE:
                    raise UnusableStoreError(f"no moment could be booked in {PATIENCE:.0f} s")
                time.sleep(0.01 * random.random())  # noqa: S311 - not for secrets

    def hold(self, seconds: float) -> float:
        """Let nothing be booked or sent for so many seconds, which are returned.

        Raises:
            UnusableStoreError: the store failed.
        """
        with _explained(self.errors):
            item = RateItem("held", self.now() + round(seconds * 1000))
            while not self._held.put(item):  # PostgreSQL's bucket gives way where another process is writing
                time.sleep(0.01 * random.random())  # noqa: S311 - as above
        return seconds

    def held_for(self) -> float:
        """The seconds until requests may be sent; 0 for now.

        Raises:
            UnusableStoreError: the store failed.
        """
        with _explained(self.errors):
            return max(0, _newest(self._held) - self.now()) / 1000

    def _bucket_for(self, per_minute: int) -> AbstractBucket:
        if self._sent is None or self._sent[0] != per_minute:
            self._sent = (per_minute, self.bucket(self.name, Rate(per_minute, self.window)))
        return self._sent[1]

    def _clear(self, now: int) -> None:
        """Drop what no longer counts, once a window."""
        if now - self._cleared_at > self.window and self._sent is not None:
            self._cleared_at = now
            self._sent[1].leak(now)
            self._held.leak(now)


def _newest(bucket: AbstractBucket, before: int = 0) -> int:
    """The moment in a bucket that so many newer ones are in, milliseconds; 0 if there is none."""
    item = bucket.peek(before)
    return item.timestamp if isinstance(item, RateItem) else 0


def require_package(address: str) -> None:
    """Refuse a store whose package is not installed.

    Raises:
        SettingsError: which one, and how it is installed.
    """
    package = _PACKAGES.get(urlsplit(address).scheme) if "://" in address else None
    if package is not None and find_spec(package) is None:
        raise SettingsError(
            f"{LIMIT_STORE.variable}, {without_credentials(address)}, needs the package {package}: "
            f"run `{_INSTALLED_BY[package]}`"
        )


def open_store(address: str, name: str, window: float) -> LimitStore:
    """Open the store at an address.

    Args:
        address: a file, or the URL of a Redis or PostgreSQL.
        name: what is limited.
        window: seconds that the limit is counted in.

    Raises:
        UnusableStoreError: it cannot be reached.
    """
    opens = _file
    if "://" in address:
        opens = _redis if _PACKAGES[urlsplit(address).scheme] == "redis" else _postgresql
    key = f"mohlcv_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return opens(address, key, round(window * 1000))


@contextmanager
def _explained(errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise an error of the store's client as ours, on one line.

    Raises:
        UnusableStoreError: the client raised one.
    """
    try:
        yield
    except errors as error:
        raise UnusableStoreError(printable(str(error).strip()) or type(error).__name__) from None


class _FileLock:
    """The lock of an SQLite file, from the first read to the commit; the system frees it when the process ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        if self._connection.in_transaction:
            self._connection.rollback()  # what is to stay was committed


def _file(address: str, name: str, window: int) -> LimitStore:
    errors = (sqlite3.Error, OSError)
    with _explained(errors):
        # threads of this process use it one at a time
        connection = sqlite3.connect(address, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=OFF")  # a power cut may lose it: it holds the last minute

        def bucket(table: str, rate: Rate) -> AbstractBucket:
            connection.execute(SQLiteQueries.CREATE_BUCKET_TABLE.format(table=table))
            return SQLiteBucket([rate], connection, table, lock=_FileLock(connection))

        return LimitStore(bucket, _wall_clock, connection.close, errors, name, window)


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _redis(address: str, name: str, window: int) -> LimitStore:
    import redis  # noqa: PLC0415 - only for such a store
    from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
    from redis.retry import Retry  # noqa: PLC0415 - as above

    errors = (redis.RedisError, OSError, ValueError)
    with _explained(errors):
        client = redis.Redis.from_url(
            address, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
        )

        def now() -> int:
            seconds, microseconds = client.time()
            return int(seconds) * 1000 + int(microseconds) // 1000

        return LimitStore(
            lambda key, rate: RedisBucket.init([rate], client, key), now, client.close, errors, name, window
        )


class _OneConnection:
    """What `PostgresBucket` takes for a pool: one connection, whose statements are bounded in time."""

    def __init__(self, address: str) -> None:
        import psycopg  # noqa: PLC0415 - only for such a store

        limit = round(PATIENCE * 1000)
        options = " ".join(
            f"-c {name}={value}"
            for name, value in (
                ("TimeZone", "UTC"),  # moments are stored without a zone
                ("statement_timeout", limit),
                ("idle_in_transaction_session_timeout", limit),
            )
        )
        self._open = psycopg.connect(
            address, autocommit=True, connect_timeout=int(PATIENCE), tcp_user_timeout=limit, options=options
        )

    @contextmanager
    def connection(self) -> "Iterator[psycopg.Connection]":
        with self._open.transaction():
            yield self._open

    def close(self) -> None:
        self._open.close()

    def now(self) -> int:
        row = self._open.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
        return int(row[0]) if row else 0


def _postgresql(address: str, name: str, window: int) -> LimitStore:
    import psycopg  # noqa: PLC0415 - only for such a store

    errors = (psycopg.Error, OSError)
    with _explained(errors):
        connection = _OneConnection(address)
        return LimitStore(
            lambda table, rate: PostgresBucket(connection, table, [rate]),
            connection.now,
            connection.close,
            errors,
            name,
            window,
        )
