"""A vendor whose certificate is not trusted, as behind a proxy that inspects the traffic: a real TLS server."""

import shutil
import subprocess

import pytest

from mohlcv_dagster.cli import diagnostics
from mohlcv_dagster.errors import UntrustedCertificateError
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster_tests.providers.massive.scripted import BARS, KEY, ScriptedVendor, faithful

OPENSSL = shutil.which("openssl")
MONTH = Month(2024, 2)

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificate")


@pytest.fixture
def certificate(tmp_path):
    """A certificate of its own for localhost, in a file with its key."""
    key, own = tmp_path / "key.pem", tmp_path / "own.pem"
    new = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*new, *named, "-keyout", key, "-out", own], check=True, capture_output=True)
    own.write_bytes(own.read_bytes() + key.read_bytes())
    return own


@pytest.fixture
def secure(certificate):
    """The address of a vendor that answers over TLS."""
    vendor = ScriptedVendor(faithful(BARS), certificate)
    yield vendor
    vendor.close()


def test_an_untrusted_certificate_fails_at_once_and_names_the_cure(secure, fake):
    with (
        MassiveProvider(KEY, secure.url, concurrency=1, clock=fake.clock) as vendor,
        pytest.raises(UntrustedCertificateError, match=r"self-signed certificate.*SSL_CERT_FILE"),
    ):
        vendor.fetch_month("SPY", MONTH)
    assert fake.passed == 0
    assert not secure.asked


def test_ssl_cert_file_is_the_cure(secure, fake, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MassiveProvider(KEY, secure.url, clock=fake.clock) as vendor:
        assert vendor.fetch_month("SPY", MONTH).bars.num_rows == len(BARS)


def test_doctor_names_the_cure_of_an_untrusted_certificate(secure):
    found = next(each for each in diagnostics.vendor(KEY, secure.url) if each.topic == "vendor")

    assert "is not trusted" in found.found
    assert "SSL_CERT_FILE" in found.cure
    assert "later" not in found.cure
