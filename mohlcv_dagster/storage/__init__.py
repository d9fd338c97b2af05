"""The files of an archive: written atomically, listed, described by a manifest, read, verified, repaired.

`locations` resolves folders and URLs; `atomic_writes` replaces files; `inventory` lists what a folder holds; `archive`
reads and writes the files of bars; `manifest` keeps what belongs to each; `reader` reads and checks
files for a run; `verify` compares an archive with its manifest; `adoption_survey` finds what is wrong with files of
other origin, and `repair` mends them. Nothing here needs Dagster.
"""
