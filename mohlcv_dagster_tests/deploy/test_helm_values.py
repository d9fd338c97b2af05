"""The values for Dagster's Helm chart: its keys, the `dagster.yaml` that comes of them, and the pod of a run.

The chart itself is not rendered: its templates are followed here, as far as these values reach.
"""

from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
import yaml

pytest.importorskip("dagster_k8s", reason="the packages of the hosts are not installed: uv sync --group hosts")

from dagster._config import validate_config
from dagster._core.instance import InstanceRef
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job

from mohlcv_dagster.dagster_patches import postgres_storage
from mohlcv_dagster.dagster_patches.run_queue import PromptRunCoordinator

VALUES = yaml.safe_load((Path(__file__).parents[2] / "deploy/helm/values.yaml").read_text())
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
OURS = ("dagsterWebserver", "dagsterDaemon")
[DEPLOYMENT] = VALUES["dagster-user-deployments"]["deployments"]

WRITTEN = {"/tmp", "/opt/dagster/dagster_home"}  # noqa: S108 - of a container
CHART = {
    "": "global generatePostgresqlPasswordSecret postgresql dagsterWebserver dagsterDaemon dagster-user-deployments "
    "runLauncher computeLogManager telemetry additionalInstanceConfig",
    "postgresql": "enabled postgresqlHost postgresqlUsername postgresqlDatabase postgresqlScheme service",
    "dagsterWebserver": "image replicaCount service envSecrets podSecurityContext securityContext volumes volumeMounts "
    "resources",
    "dagsterDaemon": "image env envSecrets podSecurityContext securityContext volumes volumeMounts resources "
    "runCoordinator runMonitoring",
    "dagster-user-deployments": "enabled enableSubchart deployments",
}
"""The keys of the chart's own schema that are used, block by block: the chart refuses others in most blocks."""


class _Plain(yaml.SafeDumper):
    """Writes no anchors, as Helm writes none."""

    def ignore_aliases(self, _):
        return True


def as_the_chart_names(settings):
    """Keys such as `loadInclusterConfig` as the chart writes them, `load_incluster_config`."""
    return {"".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in key): settings[key] for key in settings}


@pytest.fixture
def written():
    """The `dagster.yaml` of the chart's template `configmap-instance.yaml`, as text: keys may stand twice."""
    own = {"postgres_db": {"username": "dagster", "password": {"env": "DAGSTER_PG_PASSWORD"}, "hostname": "db"}}
    own["postgres_db"] |= {"db_name": "dagster", "port": 5432, "scheme": VALUES["postgresql"]["postgresqlScheme"]}
    storages = {"schedule": "Schedule", "run": "Run", "event_log": "EventLog"}
    chart = {
        f"{name}_storage": {
            "module": f"dagster_postgres.{'event_log' if name == 'event_log' else f'{name}_storage'}",
            "class": f"Postgres{kind}Storage",
            "config": own,
        }
        for name, kind in storages.items()
    }
    chart["run_coordinator"] = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    chart["run_monitoring"] = as_the_chart_names(VALUES["dagsterDaemon"]["runMonitoring"])
    chart["telemetry"] = VALUES["telemetry"]
    return "".join(yaml.dump(part, Dumper=_Plain) for part in (chart, VALUES["additionalInstanceConfig"]))


@pytest.fixture
def launcher():
    """The launcher that the chart's helper `dagsterYaml.runLauncher.k8s` describes."""
    told = as_the_chart_names({key: LAUNCHER[key] for key in LAUNCHER if LAUNCHER[key] != []})
    told["env_secrets"] = [secret["name"] for secret in told["env_secrets"]]
    told["run_k8s_config"] = as_the_chart_names(told["run_k8s_config"])
    told |= {"service_account_name": "dagster", "instance_config_map": "dagster-instance", "job_namespace": "default"}
    told |= {"dagster_home": "/opt/dagster/dagster_home", "postgres_password_secret": "mohlcv"}
    checked = validate_config(K8sRunLauncher.config_type(), told)
    assert checked.success, checked.errors
    with mock.patch("kubernetes.config.load_incluster_config"):
        return K8sRunLauncher(**checked.value)


@pytest.mark.parametrize("block", CHART)
def test_the_chart_has_every_key(block):
    assert set(VALUES[block] if block else VALUES) <= set(CHART[block].split())


def test_dagster_takes_our_storages_where_the_chart_names_its_own(written, tmp_path):
    (tmp_path / "dagster.yaml").write_text(written)
    reference = InstanceRef.from_dir(str(tmp_path))

    assert isinstance(reference.run_coordinator, PromptRunCoordinator)
    for kind in ("run", "event", "schedule"):
        data = getattr(reference, f"{kind}_storage_data")
        ours = getattr(postgres_storage, data.class_name)
        assert data.module_name == postgres_storage.__name__
        assert validate_config(ours.config_type(), yaml.safe_load(data.config_yaml)).success
    assert reference.settings["run_monitoring"]["max_resume_run_attempts"] == 0
    assert reference.settings["concurrency"]["runs"]["max_concurrent_runs"] == 16


def test_the_pod_of_a_run_is_not_root_writes_to_memory_alone_and_gets_the_secret(launcher):
    context = launcher.get_container_context_for_run(dg.DagsterRun("job"))
    config = context.get_k8s_job_config(job_image="mohlcv:0.1.0", run_launcher=launcher)
    job = construct_dagster_k8s_job(config, ["true"], "run", user_defined_k8s_config=context.run_k8s_config)
    pod = job.spec.template.spec
    [container] = pod.containers

    assert (job.spec.active_deadline_seconds, job.spec.backoff_limit) == (3600, 0)
    assert pod.security_context.run_as_user == 10001
    assert container.security_context.read_only_root_filesystem
    assert [source.secret_ref.name for source in container.env_from] == ["mohlcv"]


@pytest.mark.parametrize("told", [*(VALUES[name] for name in OURS), DEPLOYMENT])
def test_every_pod_is_not_root_and_writes_to_memory_alone(told):
    assert told["podSecurityContext"]["runAsNonRoot"]
    assert told["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["mountPath"] for mount in told["volumeMounts"]} == WRITTEN
    assert {mount["name"] for mount in told["volumeMounts"]} == {volume["name"] for volume in told["volumes"]}
    assert [secret["name"] for secret in told["envSecrets"]] == ["mohlcv"]
