"""A CSV file to Parquet (zstd) with DuckDB: seconds and peak memory of a process that does this."""

import argparse
import json
import os
import resource
import time

import duckdb

arguments = argparse.ArgumentParser()
arguments.add_argument("csv")
arguments.add_argument("parquet")
arguments.add_argument("--threads", type=int, default=2)
given = arguments.parse_args()

connection = duckdb.connect(config={"threads": given.threads})
connection.execute("SET enable_progress_bar = false")
start = time.perf_counter()
connection.execute(
    f"COPY (SELECT * FROM read_csv('{given.csv}')) TO '{given.parquet}' (FORMAT parquet, COMPRESSION zstd)"
)
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mib": usage.ru_maxrss / 1024,
            "bytes": os.path.getsize(given.parquet),
        }
    )
)
