"""HOW it runs: Dagster assets, partitions, resources, IO manager and asset checks. No rule, no format, no URL."""
