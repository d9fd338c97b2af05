"""A code location of one's own on top of mohlcv: copy the folder beside `workspace.yaml` and go on from there."""
