"""`python -m benchmarks`: runs the stages asked for and prints the tables."""

import json
import sys
import tempfile
from pathlib import Path

import click

from benchmarks import backfills, growth, pages, runs, stages
from benchmarks.case import Case
from benchmarks.results import Results, markdown, replace_section
from benchmarks.sandbox_process import SandboxProcess
from benchmarks.stages import Bench

ALL = {**stages.STAGES, **runs.RUNS, **backfills.BACKFILLS, **growth.GROWTHS, **pages.PAGES}
_STORE = "Where the stage `pages` has its records; DAGSTER_POSTGRES_URL names the server of postgresql."
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@click.command()
@click.option("--stage", "names", multiple=True, type=click.Choice(list(ALL)), help="A stage to run; repeat for more.")
@click.option("--size", default="spy", show_default=True, type=click.Choice(["spy", "quiet", "crowded", "tiny"]))
@click.option("--volume", default="int", show_default=True, type=click.Choice(["int", "fractional"]))
@click.option("--latency", default=0.0, show_default=True, help="Milliseconds that each request waits, in every stage.")
@click.option("--store", default="sqlite", show_default=True, type=click.Choice(["sqlite", "postgresql"]), help=_STORE)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs of each way.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file for all figures, as JSON.")
@click.option("--docs", is_flag=True, help="Write the tables into docs/performance.md.")
def main(  # noqa: PLR0913, PLR0917 - one argument for each option
    names: tuple[str, ...],
    size: str,
    volume: str,
    latency: float,
    store: str,
    runs: int,
    out: Path | None,
    *,
    docs: bool,
) -> None:
    """Compare this project with the original's way; without --stage, in every stage."""
    results = Results()
    with tempfile.TemporaryDirectory(prefix="mohlcv-benchmarks-") as folder, SandboxProcess(size, volume) as sandbox:
        case = Case(sandbox.url, "SPY", ("2024-01",), str(Path(folder, "data")))
        bench = Bench(sandbox, case, runs, size, Path(folder), results, latency / 1000, store)
        bench.prepare()
        for name in names or ALL:
            click.echo(f"{name} …", err=True)
            ALL[name](bench)
            if out is not None:  # after each stage, so that an interrupted run leaves its figures
                out.write_text(json.dumps(results.to_dict(), indent=1), encoding="utf-8")
    section = markdown(results, command=" ".join(["uv run python -m benchmarks", *_shown_options(sys.argv[1:])]))
    click.echo(section)
    if docs:
        replace_section(PAGE, section)


def _shown_options(arguments: list[str]) -> list[str]:
    """The options without `--out`, which names a file of this machine."""
    at = arguments.index("--out") if "--out" in arguments else len(arguments)
    return arguments[:at] + arguments[at + 2 :]


if __name__ == "__main__":
    main()
