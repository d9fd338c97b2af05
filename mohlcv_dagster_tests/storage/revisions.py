"""A raw file that is replaced time after time, and what its history gives back."""

from datetime import UTC, datetime
from hashlib import sha256

from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster.storage.inventory import FileKind, Inventory
from mohlcv_dagster.storage.verify import verify

FILE = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
FEBRUARY = datetime(2024, 2, 1, 6, tzinfo=UTC)


def replace(archive, content, file=FILE, *, is_on=True, why=Replacement.FORCED):
    with VersionHistory(archive, is_on=is_on).replacing(file, [content], why) as kept:
        archive.write(file, kept)


def described(archive, content, **told):
    """Write the manifest entry of `content`."""
    digest, rows = sha256(content).hexdigest(), len(content.splitlines()) - 1
    entry = ManifestEntry(file=str(FILE.path), sha256=digest, rows=rows, size=len(content), software="by hand", **told)
    manifest.write(archive, FILE, entry)
    return entry


def versions(archive, file=FILE):
    """The bytes of all versions."""
    return [VersionHistory(archive).content(file, each) for each in VersionHistory(archive).versions(file)]


def kept(archive):
    return [each.path for each in Inventory.of(archive.root).of_kind(FileKind.FORMER_VERSION)]


def differences(archive):
    return [(each.path, each.message) for each in verify(archive).differences if each.kind == "former version"]


def killed_before_the_file_is_replaced(archive, content):
    path, former = VersionHistory(archive)._kept(FILE, archive.read(FILE), content, Replacement.FORCED)
    archive.write_path(path, former)
