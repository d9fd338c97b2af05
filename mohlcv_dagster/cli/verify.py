"""`mohlcv verify`: verify an archive, such as a copied one, against its recorded checksums, without Dagster."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mohlcv_dagster.cli.console import FAILED, OK, json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths, project_root
from mohlcv_dagster.formatting import quantity

if TYPE_CHECKING:
    from mohlcv_dagster.storage.verify import Verification


@click.command("verify", short_help="Verify an archive against recorded checksums.")
@click.argument("folder", metavar="[DIR]", required=False)
@json_option
def command(folder: str | None, *, as_json: bool) -> int:
    """Verify the archive in DIR (by default the project's data folder) against its recorded checksums.

    Each file must have a manifest entry and be byte for byte the one recorded, with as many bars, and no check of it
    failed. Each manifest entry must have its file. Nothing may be left of interrupted writes, and the Parquet mirror
    must match. Needs neither Dagster's home nor a key, reads all files once, and writes nothing. Exits with 1 on any
    difference.

    \b
    Examples:
      mohlcv verify
      mohlcv verify /mnt/backup/data
      mohlcv verify s3://bucket/bars --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    # Arrow takes its time to load: loaded after the options were parsed
    from mohlcv_dagster.storage.verify import verify  # noqa: PLC0415

    archive = Paths(folder or Home.real(project_root()).settings().data_dir).archive()
    verified = verify(archive)
    if as_json:
        print_json(asdict(verified))
    else:
        _show(str(archive.root), verified)
    return 1 if verified.differences else 0


def _show(root: str, verified: "Verification") -> None:
    from rich.filesize import decimal  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415 - as above

    console = open_console()
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
