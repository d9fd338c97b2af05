"""The former versions of files of bars: kept before a file is replaced, listed, and given back byte for byte.

A version is the bytes that a file of bars had for a time. When other bytes take its place (a revision or completion by
the vendor, a forced download, a rewrite by `mohlcv adopt`), the version gets a file of its own::

    history/raw_1s/SPY/SPY_2024_01/0002-1c9f0b6a7d21.parquet

`0002`: it is the second version; the rest: the first digits of the SHA-256 of the version that follows it. The file
has what differs from that version, with all that is known of the former one (`bars.history_codec`). So a version is
told from the next one, that one from the one after it, and the last from the file of bars itself. Where the difference
would not give the bytes back (another form of text), the file has the complete bytes. That it gives them back is tried
before it is written, by rebuilding them and comparing their SHA-256; and again whenever they are asked for.

**Order.** The former version is written atomically before the file of bars is. Killed in between, the history has a
file of a replacement that did not happen: the file of bars still has the bytes that it is about. `storage.versions`
leaves such files out, and the same replacement writes the same name again. As the name has the digest of the successor,
two writers of one month do not overwrite what the other keeps. Where the write of the bars fails, it is removed.

**Time.** A version is stored from the moment its predecessor was replaced. Of the first one, that is when its bars were
requested, by its manifest entry; where that is unknown, when the file was written, by the disk or the store.

**Turned off** (`MOHLCV_HISTORY=false`), nothing more is kept. As the file that the newest kept version is told from is
about to be lost, that version is first written again with all of its bars. The list then has a gap.

**What has no history.** Aggregates are resampled from raw files; only a rewrite keeps theirs, in full, since runs
replace them without keeping them. Restoring damaged bytes is no new version. Files outside the layout have none.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.bars import history_codec
from mohlcv_dagster.bars.history_codec import Form, Former, FormerFile
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import HISTORY_FOLDER, BarFile
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest, objects, versions
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import measure
from mohlcv_dagster.storage.versions import Kept, Version, why_lost

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NAME: Final = re.compile(r"(?P<number>[0-9]{4,})-(?P<successor>[0-9a-f]{12})\.parquet")


def folder_of(file: BarFile) -> PurePosixPath:
    """The folder of the former versions of `file`, relative to the data folder."""
    return PurePosixPath(HISTORY_FOLDER, str(file.path).removesuffix(".csv"))


@dataclass(frozen=True)
class VersionHistory:
    """The former versions of the files of an archive.

    Attributes:
        archive: which.
        is_on: whether versions are kept.
    """

    archive: Archive
    is_on: bool = True

    @contextmanager
    def replacing(self, file: BarFile, content: "Iterable[Buffer]", why: Replacement) -> "Iterator[Iterable[Buffer]]":
        """Keep what `file` is before the block replaces it; when that fails, the history is as before.

        Args:
            file: which file; where it does not exist, or `content` is what it is, nothing is kept.
            content: its new bytes, in pieces.
            why: why it is replaced, a `Replacement`.

        Yields:
            The same bytes, to be written.

        Raises:
            FileError: its bytes cannot be read or kept.
        """
        if not self.archive.exists(file) or not manifest.in_layout(self.archive, file):
            yield content
            return
        if not self.is_on:
            yield self._detached(file, content)
            return
        new, former = b"".join(content), self._to_be_kept(file)
        if former == new:
            yield [new]
            return
        path, kept = self._kept(file, former, new, why)
        self.archive.write_path(path, kept)
        try:
            yield [new]
        except BaseException:
            if self.archive.exists(file) and self.archive.read(file) == former:  # else the file was replaced already
                self.archive.remove_path(path)
            raise

    def former(self, file: BarFile, present: str | None) -> list[Version]:
        """The former versions of `file` that are kept, in the order in which they were stored.

        A file of the history that cannot be read is left out: `damage` tells of it.

        Args:
            file: which file.
            present: the digest of its present bytes; `None` where there are none.

        Raises:
            FileError: the disk or the store refused.
        """
        return versions.timeline(self._readable(file), present)

    def versions(self, file: BarFile) -> list[Version]:
        """What `former` gives, and the present version last.

        Raises:
            FileError: the present file cannot be read, or the disk or the store refused.
        """
        present = measure(self.archive.path(file)) if self.archive.exists(file) else None
        found = self.former(file, present.sha256 if present else None)
        if present is not None:
            stored_at = self._stored_at(file, present.sha256, found)
            found.append(Version(present.sha256, present.size, present.rows, stored_at))
        return found

    def content(self, file: BarFile, version: Version) -> bytes:
        """The bytes of a version, which are proven to have the recorded digest.

        Raises:
            FileError: it cannot be rebuilt; or the present file is asked for, and is not the recorded one.
        """
        kept, present = self._readable(file), self.archive.read(file) if self.archive.exists(file) else None
        if version.kept is None:
            self._require_recorded(file, version, kept)
        content = versions.rebuild(version.sha256, kept, present)
        if content is None or _sha256(content) != version.sha256:
            raise FileError(
                f"the version of {file} stored at {version.stored_at:%Y-%m-%d %H:%M:%S}Z cannot be rebuilt: what it is "
                "told from is missing or was changed. `mohlcv verify` says which file; put it back from a copy"
            )
        return content

    def damage(self, file: BarFile, present: str | None) -> Iterator[tuple[PurePosixPath, str]]:
        """What is wrong with the history of `file`: a path, and what is lost and the cure, in a sentence or two.

        Args:
            file: which file.
            present: the digest of its present bytes; `None` where there are none.
        """
        folder, listed = folder_of(file), self._listed(file)
        for name, found in listed.items():
            if isinstance(found, FileError):
                yield folder / name, f"{found}. The version that it is about is lost: copy it again, or delete it."
        kept = [each for each in listed.values() if isinstance(each, Kept)]
        known = versions.sources(kept, present)
        for each in kept:
            if each.file.version.sha256 not in known:
                yield each.path, why_lost(each.file.version)
        numbers = {_order(name)[0] for name in listed}
        for number in sorted(set(range(1, max(numbers, default=0))) - numbers):
            lost = f"version {number:,} of {file} is lost: its file, {number:04}-….parquet, is missing"
            cure = "Copy it again, or delete the folder to do without former versions."
            yield folder / f"{number:04}.parquet", f"{lost}. {cure}"

    def _readable(self, file: BarFile) -> list[Kept]:
        return [each for each in self._listed(file).values() if isinstance(each, Kept)]

    def _listed(self, file: BarFile) -> dict[str, Kept | FileError]:
        """The names in the folder of `file`, in order of numbers; and what is in each or why it cannot be read."""
        at = self.archive.root / str(folder_of(file))
        if isinstance(at, Path):
            listed = [each.name for each in at.iterdir()] if at.is_dir() else []
        else:
            try:
                listed = objects.names(at)
            except OSError as error:
                raise FileError(f"the former versions of {file} could not be listed: {error}") from error
        names = sorted(listed, key=_order)
        return {name: self._read(file, name) for name in names if name.endswith(".parquet") and name[0] != "."}

    def _read(self, file: BarFile, name: str) -> Kept | FileError:
        path, match = folder_of(file) / name, _NAME.fullmatch(name)
        if match is None:
            return FileError("its name is not one of the history")
        try:
            found = FormerFile.decode(self.archive.read_path(path) or b"")
        except FileError as error:
            return error
        if found.version.file != str(file.path) or not found.version.successor.startswith(match["successor"]):
            return FileError(f"it is about another replacement of {found.version.file}: it was moved or renamed")
        return Kept(path, int(match["number"]), found)

    def _kept(self, file: BarFile, former: bytes, new: bytes, why: Replacement) -> tuple[PurePosixPath, bytes]:
        """The path and the bytes of the file that keeps a version."""
        digest, successor, now, before = _sha256(former), _sha256(new), datetime.now(UTC), self._readable(file)
        following = history_codec.readable_bars(new)
        bars = history_codec.readable_bars(former)
        found = history_codec.differences(bars, following)
        counts = found[0] if found else None
        entry = manifest.read_if_valid(self.archive, file)
        about = Former(
            file=str(file.path),
            sha256=digest,
            size=len(former),
            rows=max(former.count(b"\n") + (not former.endswith(b"\n")) - 1, 0),
            last_bar=history_codec.last_bar(bars),
            stored_at=min(self._stored_at(file, digest, versions.timeline(before, digest)), now),
            superseded_at=now,
            why=why,
            successor=successor,
            changed=counts.changed if counts else None,
            added=counts.gained if counts else None,
            removed=counts.lost if counts else None,
        )
        told = entry.without_passed_messages().encode() if entry is not None and entry.sha256 == digest else b""
        changes = found[1] if found and file.timeframe == RAW else None
        name = f"{versions.next_number(before, digest):04}-{successor[:12]}.parquet"
        return folder_of(file) / name, history_codec.encode_proven(about, told, former, changes, following)

    def _to_be_kept(self, file: BarFile) -> bytes:
        """The present bytes.

        Raises:
            FileError: they cannot be read, and so not be kept; with the cure.
        """
        try:
            return self.archive.read(file)
        except FileError as error:
            raise FileError(
                f"{error}; it is not replaced, since what it was could not be kept: move it out of the data folder, or "
                "set MOHLCV_HISTORY=false to replace it without keeping it, then try again"
            ) from error

    def _detached(self, file: BarFile, content: "Iterable[Buffer]") -> "Iterable[Buffer]":
        """The same content, after what is told from the present bytes or keeps them is written again, in full.

        Where the present bytes cannot be read, what is told from them is lost already: `damage` tells of it.
        """
        told = [each for each in self._readable(file) if each.file.form is Form.CHANGES]
        if not told:
            return content
        new = b"".join(content)
        with suppress(FileError):
            present = self.archive.read(file)
            if present != new:
                self._write_in_full(told, present)
        return [new]

    def _write_in_full(self, told: "Sequence[Kept]", present: bytes) -> None:
        digest = _sha256(present)
        for each in told:
            about = each.file.version
            if digest in (about.successor, about.sha256):
                is_same = digest == about.sha256
                former = present if is_same else each.file.bytes(history_codec.readable_bars(present))
                self.archive.write_path(each.path, history_codec.encode_proven(about, each.file.entry, former))

    def _stored_at(self, file: BarFile, digest: str, before: Sequence[Version]) -> datetime:
        """When the present bytes of `file` were stored, by the version before, or by what is known of them alone."""
        last = before[-1].following if before else None
        if last is not None and last.successor == digest:
            return last.superseded_at
        entry = manifest.read_if_valid(self.archive, file)
        fetched_at = entry.fetched_at if entry is not None and entry.sha256 == digest else None
        stored_at = fetched_at or self.archive.written_at(file)
        return stored_at if last is None else max(stored_at, last.superseded_at)

    def _require_recorded(self, file: BarFile, present: Version, kept: Sequence[Kept]) -> None:
        entry = manifest.read_if_valid(self.archive, file)
        successors = {each.file.version.successor for each in kept}
        if entry is not None and present.sha256 not in {entry.sha256, *successors}:
            raise FileError(f"{file} has changed since it was recorded: `mohlcv verify` says how to put it right")


def _order(name: str) -> tuple[int, str]:
    match = _NAME.fullmatch(name)
    return int(match["number"]) if match else 0, name


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
