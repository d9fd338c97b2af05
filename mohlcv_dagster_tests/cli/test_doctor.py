"""`mohlcv doctor`: the report as text and as JSON, and nothing changed."""

import json
import socket

import pytest

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy

KEY = "a-key-that-no-word-holds"


@pytest.fixture(scope="module")
def sandbox():
    """The vendor that is asked."""
    with Sandbox(QuietSpy()) as sandbox:
        yield sandbox


def test_the_command_tells_all_exits_with_1_where_something_is_wrong_and_changes_nothing(mohlcv, project, sandbox):
    (project / ".env").write_text(f"MASSIVE_BASE_URL={sandbox.url}\n")
    said = mohlcv("doctor")

    assert said.code == 1
    assert "✗ key          MASSIVE_API_KEY is not set" in said.out
    assert "! vendor       not asked about key, plan and clock: MASSIVE_API_KEY is not set" in said.out
    assert "1 wrong, 1 warning," in said.out
    assert [path.name for path in project.iterdir()] == [".env"]


def test_the_command_is_well_with_a_key_and_gives_the_same_as_a_document(mohlcv, project, sandbox):
    sandbox.clear()
    (project / ".env").write_text(f"MASSIVE_BASE_URL={sandbox.url}\nMASSIVE_API_KEY={KEY}\n")
    said = mohlcv("doctor", "--json")
    told = json.loads(said.out)

    assert (said.code, said.err, told["healthy"]) == (0, "", True)
    assert {finding["topic"] for finding in told["findings"]} == {
        *("key", "setting", "versions", "time zones", "disk", "data folder", "home", "vendor", "plan", "clock"),
    }
    assert all(set(finding) == {"topic", "verdict", "found", "cure"} for finding in told["findings"])
    assert KEY not in said.out
    assert len(sandbox.requests) == 3
    sandbox.clear()
    assert mohlcv("doctor", "--offline").code == 0
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("MASSIVE_API_KEY=two words\n", "not asked: the key cannot be sent"),
        ("MASSIVE_BASE_URL=nowhere\n", "not asked: MASSIVE_BASE_URL is invalid"),
        ("MASSIVE_CONCURRENCY=many\n", "MASSIVE_CONCURRENCY='many' cannot be used"),
    ],
)
def test_settings_that_keep_every_other_command_from_working_are_told_here(mohlcv, project, lines, words):
    (project / ".env").write_text(lines)
    said = mohlcv("doctor")

    assert (said.code, said.err) == (1, "")
    assert words in said.out


def test_an_env_file_that_cannot_be_read_is_told(mohlcv, project):
    (project / ".env").write_text("MASSIVE_API_KEY=a\n", encoding="utf-16")
    said = mohlcv("doctor", "--json")

    assert said.code == 1
    assert ".env cannot be read" in json.loads(said.out)["findings"][0]["found"]


def test_nothing_is_asked_of_anybody_else(mohlcv, project, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert mohlcv("doctor", "--offline").code == 1


def test_the_store_of_the_rate_limit_is_told_and_its_password_is_not(mohlcv, project):
    (project / ".env").write_text("MASSIVE_REQUESTS_PER_MINUTE=20\n")
    assert f"rate limit   20 requests a minute, to be shared by {project}/.mohlcv/home/rate_limit.sqlite" in "".join(
        mohlcv("doctor", "--offline").out.split("\n")
    )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://me:very-secret@127.0.0.1:{closed.getsockname()[1]}/0"
    (project / ".env").write_text(f"MASSIVE_REQUESTS_PER_MINUTE=20\nMASSIVE_LIMIT_STORE={url}\n")
    said = mohlcv("doctor", "--json")
    [found] = [each for each in json.loads(said.out)["findings"] if each["topic"] == "rate limit"]
    assert (said.code, found["verdict"]) == (1, "wrong")
    assert "127.0.0.1" in found["found"]
    assert "each process keeps the limit for itself alone" in found["cure"]
    assert "very-secret" not in said.out
