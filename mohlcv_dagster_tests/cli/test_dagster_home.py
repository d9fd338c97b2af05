import os

import pytest
import yaml

from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import Settings


def test_the_real_home_is_in_the_project_and_its_files_in_data(project):
    home = Home.real(project)

    assert home.path == project / ".mohlcv" / "home"
    assert home.settings().data_dir == str(project / "data")


def test_the_env_file_is_read_and_the_shell_wins_over_it(project, monkeypatch):
    (project / ".env").write_text("MASSIVE_API_KEY=from-file\nMOHLCV_START=2020-01\n")
    monkeypatch.setenv("MOHLCV_START", "2021-01")
    settings = Home.real(project).settings()

    assert settings.require_key() == "from-file"
    assert str(settings.start) == "2021-01"


def test_a_home_and_a_data_folder_given_in_the_shell_are_used(project, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(project / "elsewhere"))
    monkeypatch.setenv("MOHLCV_DATA_DIR", "s3://bucket/bars")
    home = Home.real(project)

    assert home.path == project / "elsewhere"
    assert home.settings().data_dir == "s3://bucket/bars"


def test_a_relative_data_folder_is_relative_to_the_project_wherever_the_command_is_called(project, monkeypatch):
    (project / "workspace.yaml").touch()
    (project / "docs").mkdir()
    monkeypatch.chdir(project / "docs")
    monkeypatch.setenv("MOHLCV_DATA_DIR", "bars")

    assert project_root() == project
    assert Home.real(project_root()).settings().data_dir == str(project / "bars")


def test_nothing_set_for_real_bars_leads_synthetic_ones_to_them(project, monkeypatch):
    (project / ".env").write_text("MOHLCV_DATA_DIR=/real\nMASSIVE_API_KEY=real\n")
    monkeypatch.setenv("DAGSTER_HOME", "/real/home")
    monkeypatch.setenv("MOHLCV_DATA_DIR", "/real/data")
    monkeypatch.setenv("MASSIVE_API_KEY", "real")
    monkeypatch.setenv("MASSIVE_BASE_URL", "https://api.massive.com")
    home = Home.sandboxed(project, "http://127.0.0.1:8123")

    settings = home.settings()
    assert home.path == project / ".mohlcv" / "sandbox" / "home"
    assert settings.data_dir == str(project / ".mohlcv" / "sandbox" / "data")
    assert settings.base_url == "http://127.0.0.1:8123"
    assert settings.require_key() != "real"


def test_a_prepared_home_sends_no_telemetry_and_greets_nobody(project):
    home = Home.real(project).prepare()

    configuration = yaml.safe_load((home.path / "dagster.yaml").read_text())
    assert configuration["telemetry"] == {"enabled": False}
    assert configuration["nux"] == {"enabled": False}
    assert os.environ["DAGSTER_HOME"] == str(home.path)


def test_what_a_user_changed_in_a_home_stays(project):
    home = Home.real(project).prepare()
    (home.path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    home.prepare()

    assert (home.path / "dagster.yaml").read_text() == "telemetry: {enabled: true}\n"


def test_a_setting_that_is_invalid_is_reported_by_its_name(project):
    (project / ".env").write_text("MASSIVE_CONCURRENCY=many\n")

    with pytest.raises(SettingsError, match="MASSIVE_CONCURRENCY='many'"):
        Home.real(project).settings()


def test_a_tilde_means_the_users_folder_and_never_a_folder_of_that_name(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project / "me"))
    monkeypatch.setenv("USERPROFILE", str(project / "me"))
    (project / ".env").write_text("MOHLCV_DATA_DIR=~/bars\nDAGSTER_HOME=~/dagster\n")
    home = Home.real(project)

    assert home.settings().data_dir == str(project / "me" / "bars")
    assert home.path == project / "me" / "dagster"


def test_an_env_file_as_windows_editors_save_it_is_read(project):
    (project / ".env").write_bytes(b"\xef\xbb\xbfMASSIVE_API_KEY=from-file\r\nMOHLCV_START='2020-01' \r\n")
    settings = Home.real(project).settings()

    assert settings.require_key() == "from-file"
    assert str(settings.start) == "2020-01"


def test_an_env_file_that_is_no_utf_8_is_told_with_its_name(mohlcv, project):
    (project / ".env").write_text("MASSIVE_API_KEY=from-file\n", encoding="utf-16")
    said = mohlcv("symbols", "list")

    assert said.code == 2
    assert ".env cannot be read" in said.err
    assert "UTF-8" in said.err


@pytest.mark.parametrize("line", ["A='x\0'\n", "A\0=x\n", "'A=B'=x\n"])
def test_an_env_file_with_a_line_that_no_environment_takes_is_told_with_its_name(mohlcv, project, line):
    (project / ".env").write_text(line)
    said = mohlcv("symbols", "list")

    assert said.code == 2
    assert ".env cannot be used: the line of 'A" in said.err


def test_a_home_that_cannot_be_written_is_told_with_its_place(mohlcv, project, monkeypatch):
    (project / "file").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(project / "file" / "home"))
    said = mohlcv("symbols", "list")

    assert said.code == 2
    assert f"Dagster's home {project / 'file' / 'home'} cannot be written" in said.err


def test_the_file_of_overridden_days_is_the_projects_and_never_the_sandboxs(project, monkeypatch):
    monkeypatch.setenv("MOHLCV_CALENDAR", "days.txt")

    assert Home.real(project).settings().calendar == str(project / "days.txt")
    assert Home.sandboxed(project, "http://127.0.0.1:8123").settings().calendar is None


@pytest.mark.parametrize(
    ("raw", "aggregated", "own"),
    [
        (None, None, True),
        ("data/raw_1s", None, True),
        ("./data/../data/raw_1s/", "data/aggregated", True),
        ("link/raw_1s", None, True),
        ("elsewhere", None, False),
        (None, "data/aggregated/15s", False),
    ],
)
def test_a_folder_is_the_projects_own_by_whatever_spelling(tmp_path, monkeypatch, raw, aggregated, own):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    paths = Paths.of(Settings.from_environment({}), raw, aggregated)

    assert paths.are_own is own
