"""The file `.env`: who may read and change it, and what is refused in its place."""

import os

import pytest

from mohlcv_dagster import project as project_files
from mohlcv_dagster import settings
from mohlcv_dagster.errors import CalendarError, SettingsError

SECRET, PLAIN = "MASSIVE_API_KEY=from-file\n", "MOHLCV_START=2020-01\n"
CURE = "run `chmod 600 "


@pytest.fixture
def written(project):
    def write(text, mode):
        (project / ".env").write_text(text)
        (project / ".env").chmod(mode)

    return write


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (SECRET, 0o600, None),
        (SECRET, 0o640, None),
        (SECRET, 0o644, "can be read, with the secrets in it, by every user"),
        (SECRET, 0o646, "can be changed by every user"),
        (SECRET, 0o602, "can be changed by every user"),
        ("MOHLCV_ALERT_URL=https://hooks.example/secret\n", 0o604, "can be read, with the secrets in it,"),
        ("MASSIVE_API_KEY=\n", 0o644, None),
        (PLAIN, 0o644, None),
        (PLAIN, 0o666, "can be changed by every user"),
    ],
)
def test_what_other_users_may_do_to_the_file_is_said_with_the_cure(mohlcv, written, text, mode, told):
    written(text, mode)
    plain, doctor = mohlcv("symbols", "list"), mohlcv("doctor", "--offline")

    assert plain.code == 0
    assert (plain.err.count(CURE), doctor.err) == (1 if told else 0, "")
    assert (told is None) or (told in plain.err and told in doctor.out and "Run `chmod 600 " in doctor.out)


def test_it_is_said_once_however_often_the_file_is_read(mohlcv, written):
    written(SECRET, 0o644)

    assert mohlcv("verify").err.count(CURE) == 1
    assert mohlcv("verify").err.count(CURE) == 0  # in the same process


def test_windows_has_no_such_modes(project, written, monkeypatch):
    written(SECRET, 0o666)
    monkeypatch.setattr(project_files.os, "name", "nt")

    assert project_files.exposure(project, {"MASSIVE_API_KEY": "a"}) is None


def a_gigabyte(at):
    at.write_bytes(b"")
    os.truncate(at, 1 << 30)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "words", [("symbols", "list"), ("verify",), ("plan", "--symbol", "A", "--start", "2024-01-01")]
)
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (os.mkfifo, "it is no regular file"),
        (lambda at: at.symlink_to("/dev/zero"), "it is no regular file"),
        (lambda at: at.mkdir(), "it is no regular file"),
        (lambda at: at.symlink_to(at.name), "Too many levels of symbolic links"),
        (a_gigabyte, "has 1,073,741,824 bytes, more than 1,048,576"),
    ],
    ids=["pipe", "device", "folder", "loop", "a gigabyte"],
)
def test_what_is_no_file_of_settings_is_refused_at_once(mohlcv, project, make, told, words):
    make(project / ".env")
    said = mohlcv(*words, *(("--end", "2024-01-31") if words[0] == "plan" else ()))

    assert said.code == 2
    assert told in said.err


def test_a_link_to_a_file_of_settings_is_read(project):
    (project / "settings").write_text(SECRET)
    (project / ".env").symlink_to("settings")

    assert project_files.read_env_file(project) == {"MASSIVE_API_KEY": "from-file"}
    (project / "settings").unlink()
    assert project_files.read_env_file(project) == {}


def test_a_file_that_is_no_text_is_refused(project):
    (project / ".env").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match="save it as plain text in UTF-8"):
        project_files.read_env_file(project)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, lambda at: at.symlink_to("/dev/zero"), a_gigabyte])
def test_a_calendar_that_is_no_such_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "days.txt")
    given = settings.Settings.from_environment({"MOHLCV_CALENDAR": str(tmp_path / "days.txt")})

    with pytest.raises(CalendarError, match="name a text file in UTF-8"):
        settings.apply_calendar(given)
