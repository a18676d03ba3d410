"""Writes the Parquet files beside it with pyarrow (26.0): the same table in every encoding,
compression and page version that genba reads. test/ingest/test_parquet.c computes what each value
should be from its row number, by the formulas below."""
import datetime
import decimal
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 120
rows = range(ROWS)
table = pa.table({
    "i32": pa.array([i * 7 - 300 for i in rows], pa.int32()),
    "i64": pa.array([i * i * 1000003 for i in rows], pa.int64()),
    "u8": pa.array([i % 256 for i in rows], pa.uint8()),
    "f32": pa.array([i * 0.25 - 3 for i in rows], pa.float32()),
    "f64": pa.array([i / 7 for i in rows], pa.float64()),
    "half": pa.array(np.array([i * 0.5 for i in rows], np.float16)),
    "bool": pa.array([i % 3 == 0 for i in rows]),
    "word": pa.array([f"row-{i % 17}" for i in rows]),
    "path": pa.array([f"value/{i // 10:03d}/{i:05d}" for i in rows]),
    "fixed": pa.array([bytes([i % 256, 1, 2, 3, i // 256]) for i in rows], pa.binary(5)),
    "sparse": pa.array([None if i % 5 == 0 else i for i in rows], pa.int64()),
    "words": pa.array([None if i % 7 == 0 else "x" * (i % 4) for i in rows]),
    "triple": pa.array([[i, i + 1, i + 2] for i in rows], pa.list_(pa.float32(), 3)),
    "ragged": pa.array([None if i % 11 == 0 else
                        [None if k == 2 else i + k for k in range(i % 4)] for i in rows],
                       pa.list_(pa.int64())),
    "matrix": pa.array([[[i], [i + 1]] for i in rows], pa.list_(pa.list_(pa.float64()))),
    "record": pa.array([{"a": i, "b": f"b{i}"} for i in rows],
                       pa.struct([("a", pa.int16()), ("b", pa.string())])),
    "time": pa.array([i * 1500000 for i in rows], pa.timestamp("us", tz="UTC")),
    "day": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in rows]),
    "price": pa.array([decimal.Decimal(i) / 100 for i in rows], pa.decimal128(9, 2)),
})
here = pathlib.Path(__file__).parent
small = dict(row_group_size=50, data_page_size=256, write_batch_size=16, write_page_checksum=True,
             write_statistics=False)


def write(name, **options):
    pq.write_table(table, here / f"{name}.parquet", **{**small, **options})


write("v1_snappy", compression="snappy", write_statistics=True)
write("v2_zstd", compression="zstd", data_page_version="2.0", write_page_checksum=False)
write("v1_plain", compression="none", use_dictionary=False)
write("v1_gzip", compression="gzip", use_dictionary=False)
write("v2_lz4", compression="lz4", data_page_version="2.0", use_dictionary=["i64", "f32", "word"])
write("delta", compression="snappy", use_dictionary=False, data_page_version="2.0",
      column_encoding={"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED",
                       "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT",
                       "half": "BYTE_STREAM_SPLIT", "bool": "RLE",
                       "word": "DELTA_LENGTH_BYTE_ARRAY", "path": "DELTA_BYTE_ARRAY",
                       "words": "DELTA_BYTE_ARRAY", "fixed": "DELTA_BYTE_ARRAY",
                       "sparse": "DELTA_BINARY_PACKED",
                       "triple.list.element": "BYTE_STREAM_SPLIT",
                       "ragged.list.element": "DELTA_BINARY_PACKED"})
# the old ways: 96-bit times, whole numbers for decimals, lists without the level in between
write("old", version="1.0", use_deprecated_int96_timestamps=True, compression="snappy",
      store_decimal_as_integer=True, use_compliant_nested_type=False)
# for cutting and flipping every byte: two columns, checksums
pq.write_table(table.select(["i32", "triple"]).slice(0, 24), here / "small.parquet",
               compression="snappy", write_page_checksum=True, store_schema=False)
