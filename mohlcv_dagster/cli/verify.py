"""`mohlcv verify`: verify an archive, such as a copied one, against its recorded checksums, without Dagster."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mohlcv_dagster.cli.console import FAILED, OK, json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.nothing_stored import require_something
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mohlcv_dagster.storage.restore import Restored
    from mohlcv_dagster.storage.verify import Verification


@click.command("verify", short_help="Verify an archive against recorded checksums.")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--subset", metavar="I/N", help="Verify one of N parts of the archive, such as 1/30.")
@click.option("--repair", is_flag=True, help="Restore files that changed, where a recorded checksum proves the bytes.")
@click.option("--from", "copy", metavar="DIR", help="With --repair: a second copy of the archive to restore from.")
@json_option
def command(folder: str | None, subset: str | None, copy: str | None, *, repair: bool, as_json: bool) -> int:
    """Verify the archive in DIR (by default the project's data folder) against its recorded checksums.

    Each file must have a manifest entry and be byte for byte the one recorded, with as many bars, and no check of it
    failed. Each manifest entry must have its file. Nothing may be left of interrupted writes, the Parquet mirror
    must match, and former versions must be whole. Needs neither Dagster's home nor a key, reads all files once, and
    writes nothing without --repair. Exits with 1 on any difference that is left.

    --repair restores a file of bars from its Parquet mirror or from the copy, a mirror from its file of bars, and a
    manifest entry from the copy. Only bytes that a recorded checksum proves are written. Let no command write into DIR
    meanwhile. --subset 1/30 to 30/30 spread the work over 30 nights: a month of a symbol is always in the same part.

    \b
    Examples:
      mohlcv verify
      mohlcv verify /mnt/backup/data
      mohlcv verify s3://bucket/bars --json
      mohlcv verify --subset 1/30
      mohlcv verify --repair --from /mnt/backup/data
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    # Arrow takes its time to load: loaded after the options were parsed
    from mohlcv_dagster.storage.restore import restore  # noqa: PLC0415
    from mohlcv_dagster.storage.verify import Subset, verify  # noqa: PLC0415

    if copy is not None and not repair:
        raise InputError(f"--from {copy} is the copy that --repair restores from: add --repair")
    part = Subset.parse(subset) if subset is not None else None
    archive = Paths(folder or Home.real(project_root()).settings().data_dir).archive()
    if folder is None:
        require_something(archive)
    restored: list[Restored] = []
    verified = verify(archive, part.holds if part else None)
    if repair:
        verified, restored = restore(archive, verified, Paths(copy).archive() if copy else None)
    if as_json:
        print_json({**asdict(verified), "restored": [asdict(each) for each in restored]})
    else:
        _show(str(archive.root), verified, restored)
    return 1 if verified.differences else 0


def _show(root: str, verified: "Verification", restored: "Sequence[Restored]") -> None:
    from rich.filesize import decimal  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415 - as above

    console = open_console()
    for done in restored:
        console.print(f"{OK} {escape(done.path)}  restored: {escape(done.message)}")
    for each in verified.differences:
        console.print(f"{FAILED} {escape(each.path)}  {each.kind}: {escape(each.message)}")
    counts = f"{quantity(verified.files, 'file')}, {quantity(verified.rows, 'bar')}, {decimal(verified.size)}"
    read = f"{counts} in {escape(root)}"
    if verified.differences:
        console.print(f"\n{read}: {quantity(len(verified.differences), 'difference')}.")
    else:
        console.print(f"{OK} {read}: all as recorded.")
    if verified.warned:
        console.print(f"{quantity(verified.warned, 'file')} with checks that warn; the manifest entries say which.")
