"""Judges genba's LeRobot reader and writer with pyarrow and PyAV.

    lerobot_judge.py LEROBOT_DUMP GENBA_DATA WORK_FOLDER

In: every value that genba read of the real data sets against pyarrow's reading of the same files,
every picture against PyAV's decoding (equal planes: PSNR infinite).
Out: the data set that genba wrote against the documented layout of LeRobot 3.0 and against the same
values; its pictures against the original ones. Prints one line a check; exit 1 when one fails."""
import glob
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import av
import numpy as np
import pyarrow.parquet as pq

dump, data, work = (pathlib.Path(a) for a in sys.argv[1:4])
root = pathlib.Path(__file__).parents[2]
failures = 0


def check(name, good, said=""):
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {name} {said}", flush=True)


def hashes(path):
    """Of the planes and of the RGB of each frame of a video."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            planes = b"".join(
                np.ascontiguousarray(np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)
                                     [:, :p.width]).tobytes() for p in frame.planes)
            rgb = frame.to_ndarray(format="rgb24").tobytes()
            found.append([hashlib.blake2b(b, digest_size=32).hexdigest() for b in (planes, rgb)])
    return found


def rows_of(folder):
    """episode -> (table of its rows), by pyarrow"""
    tables = {}
    for path in sorted(glob.glob(str(folder / "data/*/*.parquet"))):
        table = pq.read_table(path)
        index = table["episode_index"].to_numpy()
        for episode in np.unique(index):
            tables[int(episode)] = table.filter(index == episode)
    return tables


def matrix(column, dtype=np.float32):
    return np.stack(column.to_numpy(zero_copy_only=False)).astype(dtype)


def judge_in(name, map_name, source, out):
    shutil.rmtree(out, ignore_errors=True)
    said = json.loads(subprocess.run(
        [dump, root / f"examples/maps/{map_name}.yaml", source, out],
        check=True, capture_output=True, text=True).stdout)
    tables = rows_of(source)
    rows = sum(t.num_rows for t in tables.values())
    check(f"{name}: rows", said["read"] == said["stored"] == rows, f"{said['read']} of {rows}")
    info = json.loads((source / "meta/info.json").read_text())
    values = wrong = frames = pictures = rgbs = late = 0
    for episode, table in tables.items():
        folder = next(out.glob(f"*/episode_{episode:06d}"))
        times = np.fromfile(folder / "action.times", np.int64)
        exact = np.round(np.arange(table.num_rows) * 1e9 / info["fps"]).astype(np.int64)
        late += int((times != exact).sum())
        late += int((np.abs(times * 1e-9 - table["timestamp"].to_numpy()) > 1e-4).sum())
        for feature in ("action", "observation.state"):
            expected = matrix(table[feature])
            found = np.fromfile(folder / f"{feature}.f32", np.float32).reshape(expected.shape)
            values += expected.size
            wrong += int((found.view(np.uint32) != expected.view(np.uint32)).sum())
        for stream in folder.glob("*.frames"):
            video = source / f"videos/chunk-000/{stream.stem}/episode_{episode:06d}.mp4"
            expected = hashes(video)
            found = [line.split() for line in stream.read_text().splitlines()]
            frames += len(expected)
            pictures += sum(a[0] != b[0] for a, b in zip(expected, found))
            pictures += abs(len(expected) - len(found))
            rgbs += sum(a[1] != b[1] for a, b in zip(expected, found))
    check(f"{name}: values", wrong == 0, f"{values - wrong} of {values} have the same bits")
    check(f"{name}: times", late == 0, f"{late} are not frame_index / fps")
    if frames:
        check(f"{name}: planes", pictures == 0, f"{frames - pictures} of {frames} equal (PSNR inf)")
        print(f"     {name}: RGB of {frames - rgbs} of {frames} frames equal to PyAV's")
    return tables


BOOKS = {"timestamp": "float", "frame_index": "int64", "episode_index": "int64", "index": "int64",
         "task_index": "int64"}
STATS = ["min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"]


def judge_layout(name, out):
    info = json.loads((out / "meta/info.json").read_text())
    stats = json.loads((out / "meta/stats.json").read_text())
    for key in ("codebase_version", "robot_type", "total_episodes", "total_frames", "total_tasks",
                "chunks_size", "fps", "splits", "data_path", "video_path", "features"):
        check(f"{name}: info.json has {key}", key in info)
    check(f"{name}: version", info["codebase_version"] == "v3.0")
    path = out / info["data_path"].format(chunk_index=0, file_index=0)
    file = pq.ParquetFile(path)
    numbers = [n for n, f in info["features"].items() if f["dtype"] not in ("video", "image")]
    check(f"{name}: columns", [f.name for f in file.schema_arrow] == numbers, str(numbers))
    for column, kind in BOOKS.items():
        check(f"{name}: {column}", str(file.schema_arrow.field(column).type) == kind)
    chunk = file.metadata.row_group(0).column(0)
    check(f"{name}: snappy, dictionaries",
          chunk.compression == "SNAPPY" and "RLE_DICTIONARY" in chunk.encodings)
    meta = json.loads(file.schema_arrow.metadata[b"huggingface"])
    check(f"{name}: huggingface", set(meta["info"]["features"]) == set(numbers))
    tasks = pq.read_table(out / "meta/tasks.parquet").to_pylist()
    check(f"{name}: tasks", [t["task_index"] for t in tasks] == list(range(info["total_tasks"]))
          and all(isinstance(t["__index_level_0__"], str) for t in tasks))
    episodes = pq.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    groups = sum(pq.ParquetFile(p).num_row_groups for p in out.glob("data/*/*.parquet"))
    check(f"{name}: one row group an episode", groups == len(episodes) == info["total_episodes"])
    videos = [n for n, f in info["features"].items() if f["dtype"] == "video"]
    wanted = ["episode_index", "tasks", "length", "data/chunk_index", "data/file_index",
              "dataset_from_index", "dataset_to_index", "meta/episodes/chunk_index",
              "meta/episodes/file_index"]
    wanted += [f"videos/{v}/{k}" for v in videos
               for k in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")]
    wanted += [f"stats/{f}/{s}" for f in info["features"] for s in STATS]
    check(f"{name}: episode columns", set(wanted) == set(episodes[0]))
    check(f"{name}: stats.json", set(stats) == set(info["features"]) and
          all(list(s) == STATS for s in stats.values()))
    at = 0
    for e in episodes:
        check_quiet = (e["dataset_from_index"], e["dataset_to_index"]) == (at, at + e["length"])
        at += e["length"]
        if not check_quiet:
            check(f"{name}: episode {e['episode_index']} lies elsewhere", False)
    check(f"{name}: frames", at == info["total_frames"], str(at))
    return info, stats, episodes


def judge_out(name, out, source, original, numbers):
    """numbers: which episode of the original each one is."""
    info, stats, episodes = judge_layout(name, out)
    tables = rows_of(out)
    wrong = 0
    for new, old in enumerate(numbers):
        table, before = tables[new], original[old]
        for feature in ("action", "observation.state"):
            wrong += not np.array_equal(matrix(table[feature]), matrix(before[feature]))
            exact = matrix(table[feature]).astype(np.float64)
            e = episodes[new]
            for stat, value in (("min", exact.min(0)), ("max", exact.max(0)),
                                ("mean", exact.mean(0)), ("std", exact.std(0)),
                                ("q01", np.quantile(exact, .01, 0)),
                                ("q90", np.quantile(exact, .9, 0))):
                wrong += not np.allclose(e[f"stats/{feature}/{stat}"], value, rtol=1e-9, atol=1e-9)
        for column in ("timestamp", "frame_index"):
            wrong += not np.array_equal(table[column].to_numpy(), before[column].to_numpy())
    check(f"{name}: values and statistics of episodes", wrong == 0, f"{wrong} differ")
    everything = np.concatenate([matrix(tables[e]["action"]) for e in sorted(tables)])
    everything = everything.astype(np.float64)
    check(f"{name}: statistics of all", np.allclose(stats["action"]["mean"], everything.mean(0)) and
          np.allclose(stats["action"]["std"], everything.std(0)) and
          np.allclose(stats["action"]["max"], everything.max(0)) and
          stats["action"]["count"] == [len(everything)])
    judge_videos(name, out, source, info, episodes, numbers)


def judge_videos(name, out, source, info, episodes, numbers):
    for key, feature in info["features"].items():
        if feature["dtype"] != "video":
            continue
        new, good, frames = {}, 0, 0
        for e, old in zip(episodes, numbers):
            path = out / info["video_path"].format(video_key=key,
                                                   chunk_index=e[f"videos/{key}/chunk_index"],
                                                   file_index=e[f"videos/{key}/file_index"])
            if path not in new:
                new[path] = hashes(path)
            first = round(e[f"videos/{key}/from_timestamp"] * info["fps"])
            end = round(e[f"videos/{key}/to_timestamp"] * info["fps"])
            expected = hashes(source / f"videos/chunk-000/{key}/episode_{old:06d}.mp4")
            found = new[path][first:end]
            frames += len(expected)
            good += sum(a[0] == b[0] for a, b in zip(expected, found))
        check(f"{name}: {key}", good == frames, f"{good} of {frames} frames equal to the original")


g1 = data / "lerobot_v21_g1"
tables = judge_in("g1", "lerobot_g1", g1, work / "g1")
with_video = sorted(int(p.stem[-6:]) for p in g1.glob("videos/*/*/*.mp4"))
judge_out("g1 written", work / "g1/export", g1, tables, with_video)
so101 = data / "lerobot_v3_so101"
tables = judge_in("so101", "lerobot_so101", so101, work / "so101")
judge_out("so101 written", work / "so101/export", so101, tables, sorted(tables))
print(f"{failures} failures")
sys.exit(failures > 0)
