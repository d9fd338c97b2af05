"""`mohlcv verify`: a copied archive held against its passports, without Dagster."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mohlcv_dagster.cli.console import FAILED, OK, open_console
from mohlcv_dagster.cli.documents import json_option, print_document
from mohlcv_dagster.cli.homes import Home, project_root

if TYPE_CHECKING:
    from mohlcv_dagster.storage.verify import Verification


@click.command("verify", short_help="Prove an archive by its passports.")
@click.argument("folder", metavar="[DIR]", required=False)
@json_option
def command(folder: str | None, *, as_json: bool) -> int:
    """Prove the archive in DIR (by default the project's data folder) by its passports.

    Every file must be there, byte for byte the one that was recorded, with its bars, and no check of it red; there is
    nothing without a passport, no passport without its file, no leftover, no Parquet mirror out of step. It needs
    neither Dagster's home nor a key, reads all files once, and writes nothing. Leaves with 1 on any difference.

    \b
    Examples:
      mohlcv verify
      mohlcv verify /mnt/backup/data
      mohlcv verify s3://bucket/bars --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    # Arrow takes its time to load: not before the options have been understood
    from mohlcv_dagster.storage.archive import Archive  # noqa: PLC0415
    from mohlcv_dagster.storage.verify import verify  # noqa: PLC0415

    archive = Archive(folder or Home.real(project_root()).settings().data_dir)
    proof = verify(archive)
    if as_json:
        print_document(asdict(proof))
    else:
        _show(str(archive.root), proof)
    return 1 if proof.differences else 0


def _show(root: str, proof: "Verification") -> None:
    from rich.filesize import decimal  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415 - as above

    console = open_console()
    for each in proof.differences:
        console.print(f"{FAILED} {escape(each.path)}  {each.kind}: {escape(each.message)}")
    read = f"{proof.files:,} files, {proof.rows:,} bars, {decimal(proof.size)} in {escape(root)}"
    if not proof.differences:
        console.print(f"{OK} {read}: all as their passports say.")
    else:
        found = "1 difference" if len(proof.differences) == 1 else f"{len(proof.differences):,} differences"
        console.print(f"\n{read}: {found}.")
    if proof.warned:
        console.print(f"{proof.warned:,} of them have checks that warn; their passports say which.")
