"""Lets PyPI's mcap judge genba's MCAP files, and genba judge those of PyPI's mcap.

usage: mcap_judge.py GENBA GENBA_BENCH FOLDER
"""
import pathlib
import subprocess
import sys

from mcap.reader import NonSeekingReader, make_reader
from mcap.stream_reader import StreamReader
from mcap.records import DataEnd, MessageIndex
from mcap.writer import CompressionType, IndexType, Writer

MESSAGES = 500
BASE = 1700000000000000000
PAIRS = [("unit", "m"), ("場所", "三号機")]
TOPICS = ["/point", "/plain", "/温度"]


def payload(i):
    """What bench/bench_mcap.c says of message i."""
    return bytes((i * 31 + k * 7 + k // 256) % 256 for k in range(i * 97 % 5000))


WANTED = [
    (TOPICS[i % 3], i, BASE + i * 1000 - (2500 if i % 7 == 6 else 0), BASE + i * 1000 - 10, payload(i))
    for i in range(MESSAGES)
]


def row(channel, message):
    return (channel.topic, message.sequence, message.log_time, message.publish_time, message.data)


def check_messages(path):
    """In the order of the file with every checksum, and by the index in the order of time."""
    with open(path, "rb") as file:
        reader = NonSeekingReader(file, validate_crcs=True)
        rows = [row(c, m) for _, c, m in reader.iter_messages(log_time_order=False)]
        assert rows == WANTED, "messages in the order of the file"
    with open(path, "rb") as file:
        rows = [row(c, m) for _, c, m in make_reader(file, validate_crcs=True).iter_messages()]
        assert rows == sorted(WANTED, key=lambda r: r[2]), "messages in the order of time"
    with open(path, "rb") as file:
        rows = [
            row(c, m)
            for _, c, m in make_reader(file, validate_crcs=True).iter_messages(
                topics=[TOPICS[2]], starting_at=BASE + 100000, ending_before=BASE + 200000
            )
        ]
        chosen = [r for r in WANTED if r[0] == TOPICS[2] and BASE + 100000 <= r[2] < BASE + 200000]
        assert rows == sorted(chosen, key=lambda r: r[2]), "messages of one topic in a span of time"


def check_summary(path, chunked):
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        s = summary.statistics
        assert (s.message_count, s.channel_count, s.schema_count) == (MESSAGES, 3, 1)
        assert (s.attachment_count, s.metadata_count) == (1, 1)
        assert (s.chunk_count > 5) == chunked and len(summary.chunk_indexes) == s.chunk_count
        assert s.message_start_time == BASE and s.message_end_time == BASE + 499000
        assert sum(s.channel_message_counts.values()) == MESSAGES
        assert len(summary.attachment_indexes) == len(summary.metadata_indexes) == 1
        assert summary.schemas[1].name == "lab/Point"
        assert summary.schemas[1].data == b"float64 x\nfloat64 y"
        for i, channel in enumerate(summary.channels.values()):
            assert channel.topic == TOPICS[i] and channel.metadata == dict(PAIRS[:i])
            assert channel.schema_id == (1 if i == 0 else 0)


def check_extras(path):
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "genba"
        (attachment,) = reader.iter_attachments()
        assert (attachment.name, attachment.media_type) == ("notes.txt", "text/plain")
        assert (attachment.log_time, attachment.create_time) == (11, 12)
        assert attachment.data == b"tightened the belt"
        (metadata,) = reader.iter_metadata()
        assert metadata.name == "labels" and metadata.metadata == dict(PAIRS)


def check_records(path, chunked, indexed, crcs):
    """Message indexes count all messages; the data has a checksum where it should."""
    with open(path, "rb") as file:
        records = list(StreamReader(file, emit_chunks=True, validate_crcs=True).records)
    listed = sum(len(r.records) for r in records if isinstance(r, MessageIndex))
    assert listed == (MESSAGES if chunked and indexed else 0)
    (end,) = [r for r in records if isinstance(r, DataEnd)]
    assert (end.data_section_crc != 0) == crcs


def judge_genba(bench, folder):
    subprocess.run([bench, "mcap", "--write", str(folder)], check=True)
    files = sorted(folder.glob("*.mcap"))
    assert len(files) == 24, files
    for path in files:
        layout, _, index, checks = path.stem.split("-")
        chunked, indexed, crcs = layout == "chunks", index == "indexed", checks == "crc"
        check_messages(path)
        check_extras(path)
        if indexed:
            check_summary(path, chunked)
        check_records(path, chunked, indexed, crcs)
    print(f"PyPI mcap reads {len(files)} files of genba: {MESSAGES} messages each, checksums hold")


def write_python(path, compression, chunked, indexes, data_crcs):
    with open(path, "wb") as file:
        writer = Writer(
            file,
            chunk_size=50000,
            compression=compression,
            use_chunking=chunked,
            index_types=indexes,
            use_summary_offsets=indexes != IndexType.NONE,
            enable_data_crcs=data_crcs,
        )
        writer.start("ros2", "judge")
        schema = writer.register_schema("lab/Point", "ros2msg", b"float64 x")
        channels = [
            writer.register_channel(topic, "cdr", schema if i == 0 else 0, dict(PAIRS[:i]))
            for i, topic in enumerate(TOPICS)
        ]
        for i, (_, sequence, log_time, publish_time, data) in enumerate(WANTED):
            writer.add_message(channels[i % 3], log_time, data, publish_time, sequence)
            if i == 100:
                writer.add_attachment(1, 2, "a.bin", "application/octet-stream", bytes(range(256)))
                writer.add_metadata("run", {"lot": "17"})
        writer.finish()


def judge_python(genba, folder):
    count = 0
    for compression in CompressionType:
        for chunked in (True, False):
            for indexes in (IndexType.ALL, IndexType.CHUNK, IndexType.ATTACHMENT, IndexType.NONE):
                for data_crcs in (True, False):
                    path = folder / f"python-{count}.mcap"
                    write_python(path, compression, chunked, indexes, data_crcs)
                    run = subprocess.run([genba, "recover", path], capture_output=True, text=True)
                    assert run.returncode == 0, run.stderr
                    assert f"is whole: {MESSAGES} messages" in run.stdout, (path, run)
                    count += 1
    print(f"genba verifies {count} files of PyPI mcap")


def judge_recovery(genba, folder):
    """What genba saves of a cut file is, to PyPI mcap, a whole file with the first messages."""
    for kind in ("none", "lz4", "zstd"):
        whole = folder / f"chunks-{kind}-indexed-crc.mcap"
        data = whole.read_bytes()
        cut, saved = folder / "cut.mcap", folder / "cut.recovered.mcap"
        cut.write_bytes(data[: len(data) * 2 // 3])
        saved.unlink(missing_ok=True)
        subprocess.run([genba, "recover", cut], check=True, capture_output=True)
        with open(saved, "rb") as file:
            reader = NonSeekingReader(file, validate_crcs=True)
            rows = [row(c, m) for _, c, m in reader.iter_messages(log_time_order=False)]
        assert 200 < len(rows) < MESSAGES and rows == WANTED[: len(rows)], len(rows)
        print(f"PyPI mcap reads {len(rows)} of {MESSAGES} messages saved from a cut {kind} file")


def main():
    genba, bench = sys.argv[1:3]
    folder = pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    judge_genba(bench, folder)
    judge_python(genba, folder)
    judge_recovery(genba, folder)


if __name__ == "__main__":
    main()
