"""Every package that the installed one needs has a licence under which this one can be used and passed on."""

import re

import pytest

from mohlcv_dagster_tests.licences import licences, needed

PERMISSIVE = {
    "0BSD",
    "3-Clause BSD License",
    "Apache Software License",
    "Apache-2.0",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT License",
    "PSF-2.0",
    "Python Software Foundation License",
    "Unlicense",
    "Zlib",
}
WEAK_COPYLEFT = {"MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"}
MAY_BE_WEAK = {
    "certifi": "a list of certificates, used unchanged",
    "tqdm": "used unchanged, by Dagster",
}

PACKAGES = needed()


def parts(licence):
    """The licences that an SPDX expression joins; one of our own words is one."""
    return (
        set(re.split(r" (?:AND|OR) ", licence.replace("(", "").replace(")", "")))
        if " AND " in licence or (" OR " in licence)
        else {licence}
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_its_licence_is_known_and_permissive_or_named_here(name):
    found = licences(PACKAGES[name])
    assert found, f"{name} says no licence: look at it, and find another package if it has none"
    allowed = PERMISSIVE | (WEAK_COPYLEFT if name in MAY_BE_WEAK else set())
    assert set().union(*map(parts, found)) <= allowed, f"{name}: {found}"


def test_the_packages_are_all_that_the_wheel_needs():
    assert {"dagster", "massive", "pandas", "pyarrow", "urllib3", "certifi"} <= PACKAGES.keys()
    assert "pytest" not in PACKAGES
