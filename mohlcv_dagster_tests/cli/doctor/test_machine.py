"""The installation: versions within their bounds, time zones that know summer time."""

from importlib import metadata

from packaging.specifiers import SpecifierSet

from mohlcv_dagster.cli.examinations import machine
from mohlcv_dagster.cli.examinations.finding import Verdict


def test_versions_within_their_bounds_are_one_line_and_others_are_named():
    installed = {"dagster": "1.13.27", "pandas": "1.5.3"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    good = list(machine.versions(["dagster<1.14,>=1.13.20"], SpecifierSet(">=3.11"), version))
    assert [(found.verdict, "dagster 1.13.27" in found.found) for found in good] == [(Verdict.FINE, True)]
    needed = ["dagster<1.14,>=1.13.20", "pandas<4,>=2.2", "isal>=1.7", 'never; python_version < "3"']
    bad = list(machine.versions(needed, SpecifierSet(">=99"), version))
    assert [found.found.partition(" (")[0] for found in bad][1:] == [
        "pandas 1.5.3 is not <4,>=2.2",
        "isal is not installed",
    ]
    assert bad[0].found.endswith("is not >=99")
    assert {found.verdict for found in bad} == {Verdict.WRONG}


def test_this_installation_is_within_the_bounds_of_the_package():
    assert [found.verdict for found in machine.examine()] == [Verdict.FINE, Verdict.FINE]


def test_zones_that_are_not_there_or_know_no_summer_time_are_wrong(monkeypatch):
    monkeypatch.setattr(machine, "_EASTERN", "America/Nowhere")
    assert machine.time_zones().verdict is Verdict.WRONG
    monkeypatch.setattr(machine, "_EASTERN", "Etc/GMT+5")
    assert "summer time" in machine.time_zones().found
