"""What reading a `.sens` costs: `python -m benchmarks.sens RECORDING [--repeats N]`.

The frames of a recording are repeated into a longer one, which is then read by this package's
reader and by a straightforward one that reads everything first, as ScanNet's Python reader does
(this one reads blobs at once, not byte by byte, and decodes with the same libraries). Each reader
runs in a process of its own with the file in the page cache, and what counts is processor time, so
that a busy machine matters less. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import statistics
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.command import run
from training.data.scannet.sens import SensReader


class EverythingReader:
    """Keeps the compressed images of all frames; version 4, jpeg and zlib only."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            _, name_bytes = struct.unpack("<IQ", file.read(12))
            file.read(name_bytes + 256 + 16)
            self.depth_size = struct.unpack("<2I", file.read(8))[::-1]
            self.shift, count = struct.unpack("<fQ", file.read(12))
            self.frames = []
            for _ in range(count):
                pose = np.frombuffer(file.read(64), "<f4").reshape(4, 4)
                *stamps, color_bytes, depth_bytes = struct.unpack("<4Q", file.read(32))
                self.frames.append((pose, stamps, file.read(color_bytes), file.read(depth_bytes)))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        _, _, color, depth = self.frames[number]
        steps = np.frombuffer(zlib.decompress(depth), "<u2").reshape(self.depth_size)
        metres = steps.astype(np.float32) / np.float32(self.shift)
        metres[steps == 0] = np.nan
        return np.asarray(Image.open(io.BytesIO(color)).convert("RGB")), metres


SAMPLED_FRAMES = 200  # spread evenly over the file, however long it is
READERS: dict[str, Callable[[Path], SensReader | EverythingReader]] = {
    "streaming": SensReader,
    "read everything": EverythingReader,
}


def repeat(source: Path, target: Path, times: int) -> int:
    """Write the frames of a recording several times over; gives how many there are then."""
    with SensReader(source) as reader:
        header, end = reader.header, reader.index.end
    data = source.read_bytes()
    count = header.num_frames * times
    with target.open("wb") as file:
        file.write(data[: header.num_bytes - 8] + struct.pack("<Q", count))
        for _ in range(times):
            file.write(data[header.num_bytes : end])
    return count


def measure(name: str, path: Path) -> dict[str, float]:
    """Open, read the frame in the middle, then frames from start to end."""
    Image.preinit()
    baseline = _status_mib("VmRSS")
    start = time.process_time()
    reader = READERS[name](path)
    opened = time.process_time()
    _ = reader[len(reader) // 2]
    first = time.process_time()
    numbers = np.linspace(0, len(reader) - 1, SAMPLED_FRAMES).astype(int).tolist()
    for number in numbers:
        _ = reader[number]
    return {
        "open_s": opened - start,
        "open_and_one_frame_s": first - start,
        "frames_per_s": len(numbers) / (time.process_time() - first),
        "peak_memory_mib": _status_mib("VmHWM") - baseline,
    }


def _status_mib(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


def main() -> None:
    """Measure both readers on both lengths, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sens", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("recording", type=Path, help="a .sens with jpeg and zlib frames")
    parser.add_argument("--repeats", type=int, default=40, help="times its frames are repeated")
    parser.add_argument("--rounds", type=int, default=3, help="runs that the median is taken of")
    options = parser.parse_args()

    results = []
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for times in (options.repeats, 10 * options.repeats):
            path = Path(folder) / "long.sens"
            frames = repeat(options.recording, path, times)
            size_mb = path.stat().st_size / 1e6
            for name in READERS:
                runs = []
                for _ in range(options.rounds):
                    with spawn.Pool(1) as pool:
                        runs.append(pool.apply(measure, (name, path)))
                result = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                print(
                    f"{frames:>6} frames {size_mb:>7.0f} MB  {name:<16}"
                    f"open {1e3 * result['open_s']:>8.1f} ms  "
                    f"with one frame {1e3 * result['open_and_one_frame_s']:>8.1f} ms  "
                    f"{result['frames_per_s']:>7.1f} frames/s  "
                    f"peak {result['peak_memory_mib']:>7.1f} MiB"
                )
                rounded = {key: round(value, 4) for key, value in result.items()}
                results.append({"reader": name, "frames": frames, "file_mb": size_mb, **rounded})
    print(json.dumps({"recording": options.recording.name, "results": results}))


if __name__ == "__main__":
    raise SystemExit(run(main))
