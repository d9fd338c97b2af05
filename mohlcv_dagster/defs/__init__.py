"""HOW it runs: Dagster assets, partitions, resources, IO manager and asset checks. No rule, no format, no URL.

What the code location is made of (`assets`, `quality`, `re_verify`, `io_manager`, …) loads with it, and loads no bars:
no NumPy, no Arrow, no reader. What its steps do stands in modules of their own (`partition_loop`, `month_steps`,
`check_runner`, `recheck`, `summing_up`, `storing`, `loading`), which a step imports when it begins: a process that
shows or launches needs none of it. A test holds both: what a load brings in, and that every step's module can be
imported.
"""
