"""As `storages`, on PostgreSQL."""

from mohlcv_dagster.dagster_patches.postgres_storage import RememberingPostgresEventLogStorage
from mohlcv_dagster_tests.dagster_patches.storages import AT_ONCE, FORGETTING, LOOKING_BACK


class AtOnce(RememberingPostgresEventLogStorage):
    check_limits = AT_ONCE


class LookingBack(RememberingPostgresEventLogStorage):
    check_limits = LOOKING_BACK


class Forgetting(RememberingPostgresEventLogStorage):
    check_limits = FORGETTING


POSTGRES = [AtOnce, LookingBack, Forgetting]
