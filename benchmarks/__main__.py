"""`python -m benchmarks`: options in, measurements in turn, tables out. What is measured is in the modules it calls."""

import json
import sys
import tempfile
from pathlib import Path

import click

from benchmarks import backfills, growth, pages, report, runs, stages
from benchmarks.case import Case
from benchmarks.figures import Results
from benchmarks.served import Served
from benchmarks.stages import Bench

ALL = {**stages.STAGES, **runs.RUNS, **backfills.BACKFILLS, **growth.GROWTHS, **pages.PAGES}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@click.command()
@click.option("--stage", "names", multiple=True, type=click.Choice(list(ALL)), help="One of them; again for more.")
@click.option("--size", default="spy", show_default=True, type=click.Choice(["spy", "quiet", "crowded", "tiny"]))
@click.option("--volume", default="int", show_default=True, type=click.Choice(["int", "fractional"]))
@click.option("--latency", default=0.0, show_default=True, help="Milliseconds a request waits, in every stage.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs of each way.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file for every figure, as JSON.")
@click.option("--docs", is_flag=True, help="Put the tables into docs/performance.md.")
def main(  # noqa: PLR0913, PLR0917 - one argument for each option
    names: tuple[str, ...], size: str, volume: str, latency: float, runs: int, out: Path | None, *, docs: bool
) -> None:
    """Measure this project beside the original's way; without --stage, everything."""
    results = Results()
    with tempfile.TemporaryDirectory(prefix="mohlcv-benchmarks-") as folder, Served(size, volume) as served:
        case = Case(served.url, "SPY", ("2024-01",), str(Path(folder, "data")))
        bench = Bench(served, case, runs, size, Path(folder), results, latency / 1000)
        bench.prepare()
        for name in names or ALL:
            click.echo(f"{name} …", err=True)
            ALL[name](bench)
            if out is not None:  # after each stage: a long run that is broken off has not been for nothing
                out.write_text(json.dumps(results.to_dict(), indent=1), encoding="utf-8")
    section = report.markdown(results, command=" ".join(["uv run python -m benchmarks", *_told(sys.argv[1:])]))
    click.echo(section)
    if docs:
        report.put_in(PAGE, section)


def _told(arguments: list[str]) -> list[str]:
    """The options that decide what is measured: where this machine keeps the figures is nobody's business."""
    at = arguments.index("--out") if "--out" in arguments else len(arguments)
    return arguments[:at] + arguments[at + 2 :]


if __name__ == "__main__":
    main()
