"""What stands beside the files of bars: passports, the Parquet mirror; and proving a tree by them.

Without Dagster: a copied archive is proven where there is none. What a passport says is in `bars.passport`, how a
mirror's file is written in `bars.parquet_codec`.
"""
