"""The image and the compose file, as far as they can be read: nothing here starts a container."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from mohlcv_dagster.settings import SETTINGS

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "mohlcv" in service["image"]}
WRITTEN = {"/tmp", "/opt/dagster/dagster_home"}  # noqa: S108 - of a container
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def instructions():
    """The instructions of the Dockerfile: a word and the rest, continued lines joined."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.strip().split(maxsplit=1)) for line in joined.splitlines()]


def of(word):
    return [rest for each, rest in instructions() if each == word]


def test_every_version_in_the_dockerfile_is_named():
    assert all(re.match(r"python:3\.\d+-slim-\w+( AS \w+)?$", image) for image in of("FROM"))
    assert re.findall(r"pip install \S+ (\S+)", " ".join(of("RUN"))) == ["uv==0.13.9"]


def test_the_image_runs_the_python_that_the_package_asks_for():
    least = Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    assert all(least.contains(re.search(r"3\.\d+", image)[0]) for image in of("FROM"))


def test_a_user_of_its_own_runs_it_and_its_health_is_asked():
    assert of("USER") == ["10001:10001"]
    assert [word for word, _ in instructions()][-2:] == ["HEALTHCHECK", "CMD"]


def test_what_it_copies_is_there_and_nothing_else_gets_into_the_build():
    copied = [word for rest in of("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}

    assert [name for name in copied if name != "uv.lock*" and not (REPOSITORY / name).exists()] == []
    assert let_in == {name.rstrip("*") for name in copied}
    assert ignored[1] == "*"


def test_every_package_of_the_hosts_is_pinned_by_the_constraints():
    pinned = {Requirement(each).name for each in PROJECT["tool"]["uv"]["constraint-dependencies"]}
    assert {Requirement(each).name for each in PROJECT["dependency-groups"]["hosts"]} <= pinned
    assert all("--no-default-groups --group hosts" in rest for rest in of("RUN") if "uv sync" in rest)


def test_every_service_has_a_version_a_health_check_and_starts_again():
    for name, service in SERVICES.items():
        assert re.search(r":[\w.${}:-]*\d", service["image"]), name
        assert "latest" not in service["image"]
        once = service.get("restart") == "no"
        assert ("healthcheck" in service and "test" in service["healthcheck"]) or once or name == "code", name
        assert once or service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_write_to_memory_alone_and_have_no_rights(name):
    service = SERVICES[name]
    assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "10001:10001", ["ALL"])
    assert {at.partition(":")[0] for at in service["tmpfs"]} == WRITTEN
    assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_services_name_only_what_is_there():
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= SERVICES.keys(), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"], volume


def test_the_ui_is_reached_from_this_machine_alone():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:3000:3000"]


def test_services_have_the_variables_of_the_files_and_settings_that_exist():
    told = set(COMPOSE["x-dagster"]["environment"])
    needed = {match for file in DEPLOY.glob("celery/*.yaml") for match in re.findall(r"env: (\w+)", file.read_text())}
    known = {setting.variable for setting in SETTINGS}

    assert needed <= told
    assert {name for name in told if name.startswith(("MASSIVE_", "MOHLCV_"))} <= known


def test_the_page_tells_each_variable_that_must_be_set():
    page = (REPOSITORY / "docs/deploy.md").read_text()
    assert {name for name in re.findall(r"\$\{(\w+):\?", COMPOSE_TEXT) if f"{name}=" not in page} == set()


def test_the_workspace_leads_to_the_code_server_of_the_compose_file():
    [location] = yaml.safe_load((DEPLOY / "celery/workspace.yaml").read_text())["load_from"]
    assert location["grpc_server"]["host"] in SERVICES
    assert f'"--port", "{location["grpc_server"]["port"]}"' in of("CMD")[-1]
