"""`.sens` recordings: ScanNet's own readers as oracle, every encoding, hostile files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import threading
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sens_writer import (
    LOST,
    OCCI_DEPTH,
    PNG_COLOR,
    RAW_COLOR,
    RAW_DEPTH,
    ZLIB_DEPTH,
    Record,
    raw_record,
    write_sens,
)

from lisa_ros.errors import DatasetError
from training.data.scannet.sens import SensReader, read_sens_header

FIXTURES = Path(__file__).parent / "fixtures" / "scannet"
TINY = FIXTURES / "scans" / "scene9000_00" / "scene9000_00.sens"
EXPECTED = json.loads((FIXTURES / "expected_sens.json").read_text())
HEADER_BYTES = 304


def random_records(count: int) -> list[Record]:
    rng = np.random.default_rng(count)
    return [
        raw_record(
            rng.integers(256, size=(6, 8, 3), dtype=np.uint8),
            rng.integers(5000, size=(3, 4)),
            LOST if number % 3 == 0 else np.eye(4),
            (1000 * number, 1000 * number + 7),
        )
        for number in range(count)
    ]


def test_header_as_scannets_own_readers_read_it() -> None:
    assert hashlib.sha256(TINY.read_bytes()).hexdigest() == EXPECTED["file_sha256"]
    expected = EXPECTED["header"]
    with SensReader(TINY) as reader:
        header = reader.header
        assert len(reader.imu()) == expected["num_imu_frames"]
    for name in (
        "sensor_name", "color_width", "color_height", "depth_width", "depth_height",
        "depth_shift", "num_frames",
    ):  # fmt: skip
        assert getattr(header, name) == expected[name], name
    for name in ("intrinsic_color", "extrinsic_color", "intrinsic_depth", "extrinsic_depth"):
        np.testing.assert_array_equal(getattr(header, name), expected[name])
    assert header.color_compression.value == expected["color_compression"]["enum"]
    assert header.depth_compression.value == expected["depth_compression"]["enum"]
    assert header.num_bytes == expected["header_bytes_up_to_first_frame"]


@pytest.mark.parametrize("expected", EXPECTED["frames"], ids=lambda frame: str(frame["index"]))
def test_frame_as_scannets_own_readers_read_it(expected: dict) -> None:
    with SensReader(TINY) as reader:
        frame = reader[expected["index"]]
        offset = int(reader.index.offsets[expected["index"]])
        shift = reader.header.depth_shift
    assert offset == expected["record_offset"]
    assert frame.stamp_color_ns == 1000 * expected["timestamp_color"]
    assert frame.stamp_depth_ns == 1000 * expected["timestamp_depth"]
    if expected["pose_valid"]:
        np.testing.assert_array_equal(frame.T_world_camera, expected["camera_to_world"])
    else:
        assert frame.T_world_camera is None
    color_end = offset + 96 + expected["color_size_bytes"]
    data = TINY.read_bytes()
    color = hashlib.sha256(data[offset + 96 : color_end]).hexdigest()
    depth = data[color_end : color_end + expected["depth_size_bytes"]]
    assert color == expected["color_compressed_sha256"]
    assert hashlib.sha256(depth).hexdigest() == expected["depth_compressed_sha256"]

    steps = np.rint(np.nan_to_num(frame.depth_m, nan=0) * shift).astype("<u2")
    digest = hashlib.sha256(steps.tobytes()).hexdigest()
    assert digest == expected["depth_decoded_sha256_u16le_rowmajor"]
    assert np.count_nonzero(np.isnan(frame.depth_m)) == expected["depth_zero_count"]
    assert (steps.min(), steps.max()) == (expected["depth_min"], expected["depth_max"])
    assert int(steps.sum()) == expected["depth_sum"]
    for u, v, value in expected["depth_samples_uv"]:
        assert steps[v, u] == value
    for u, v, rgb in expected["color_samples_uv_rgb"]:
        assert np.abs(frame.color[v, u].astype(int) - rgb).max() <= 4  # JPEG decoders differ
    assert frame.color.shape == (48, 64, 3)
    assert frame.color.dtype == np.uint8
    assert frame.depth_m.dtype == np.float32


def test_imu_as_scannets_own_readers_read_it() -> None:
    with SensReader(TINY) as reader:
        records = reader.imu()
    for record, expected in zip(records, EXPECTED["imu"], strict=True):
        for name in ("rotation_rate", "acceleration", "magnetic_field", "attitude", "gravity"):
            np.testing.assert_array_equal(record[name], expected[name])
        assert record["stamp_us"] == expected["timestamp_us"]


def test_any_order_gives_what_the_order_of_the_file_gives(tmp_path: Path) -> None:
    path = write_sens(tmp_path / "a.sens", random_records(12))
    with SensReader(path) as reader:
        in_order = list(reader)
        index = reader.index
    with SensReader(path, index) as reader:
        for number in np.random.default_rng(0).permutation(12).tolist():
            frame = reader[number]
            assert frame.number == number
            np.testing.assert_array_equal(frame.color, in_order[number].color)
            np.testing.assert_array_equal(frame.color, reader.color(number))
            np.testing.assert_array_equal(frame.depth_m, in_order[number].depth_m)
            assert (frame.T_world_camera is None) == (number % 3 == 0)
            assert (reader.pose(number) is None) == (number % 3 == 0)
            assert frame.stamp_color_ns == number * 1_000_000
        assert len(reader) == 12
        for outside in (-1, 12):
            with pytest.raises(IndexError, match="0 to 11"):
                reader[outside]


def test_threads_share_a_reader(tmp_path: Path) -> None:
    path = write_sens(tmp_path / "a.sens", random_records(30))
    wrong: list[int] = []
    with SensReader(path) as reader:
        expected = [frame.color for frame in reader]

        def read(seed: int) -> None:
            for number in np.random.default_rng(seed).integers(30, size=60).tolist():
                if not np.array_equal(reader[number].color, expected[number]):
                    wrong.append(number)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_every_encoding_and_depth_shift(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    color = rng.integers(256, size=(6, 8, 3), dtype=np.uint8)
    depth = rng.integers(1, 60000, size=(3, 4)).astype("<u2")
    depth[1, 2] = 0
    png = io.BytesIO()
    Image.fromarray(color).save(png, "PNG")
    colors = {RAW_COLOR: color.tobytes(), PNG_COLOR: png.getvalue()}
    depths = {RAW_DEPTH: depth.tobytes(), ZLIB_DEPTH: zlib.compress(depth.tobytes())}
    for color_kind, color_blob in colors.items():
        for depth_kind, depth_blob in depths.items():
            path = write_sens(
                tmp_path / "a.sens",
                [Record(color_blob, depth_blob, np.eye(4))],
                name=b"Structure\xff",
                compressions=(color_kind, depth_kind),
                depth_shift=4000.0,
            )
            with SensReader(path) as reader:
                frame = reader[0]
                assert reader.header.sensor_name == "Structure\\xff"
            np.testing.assert_array_equal(frame.color, color)
            assert np.argwhere(np.isnan(frame.depth_m)).tolist() == [[1, 2]]
            np.testing.assert_allclose(np.nan_to_num(frame.depth_m, nan=0), depth / 4000, rtol=1e-7)


def test_what_is_no_pose_is_none(tmp_path: Path) -> None:
    stretched, sheared_row = np.diag([1.1, 1, 1, 1]), np.eye(4)
    sheared_row[3, 0] = 0.5
    half_lost = np.eye(4)
    half_lost[2, 3] = np.nan
    huge = np.eye(4) * 1e38
    slightly_off = np.eye(4) * 1.001
    slightly_off[3, 3] = 1
    poses = [stretched, sheared_row, half_lost, huge, LOST, slightly_off]
    record = random_records(1)[0]
    path = write_sens(
        tmp_path / "a.sens", [Record(record.color, record.depth, pose) for pose in poses]
    )
    with SensReader(path) as reader:
        assert [reader.pose(n) is None for n in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("tail", [b"", struct.pack("<Q", 0)], ids=["absent", "empty"])
def test_recordings_without_inertial_section(tmp_path: Path, tail: bytes) -> None:
    with SensReader(write_sens(tmp_path / "a.sens", random_records(1), tail=tail)) as reader:
        assert len(reader.imu()) == 0


@pytest.mark.parametrize("tail", [b"\x01\x00", struct.pack("<Q", 2**60), struct.pack("<Q", 1)])
def test_a_truncated_inertial_section_leaves_the_frames_alone(tmp_path: Path, tail: bytes) -> None:
    with SensReader(write_sens(tmp_path / "a.sens", random_records(2), tail=tail)) as reader:
        assert reader[1].color.shape == (6, 8, 3)
        with pytest.raises(DatasetError, match="IMU"):
            reader.imu()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 3}, "version 3"),
        ({"name": b"x" * 20, "name_bytes": 4096}, "4096 bytes"),
        ({"name_bytes": 2**63}, "sensor name"),
        ({"name_bytes": 4000}, "sensor name"),
        ({"compressions": (RAW_COLOR, OCCI_DEPTH)}, "occi.*unsupported"),
        ({"compressions": (-1, ZLIB_DEPTH)}, "colour compression -1"),
        ({"compressions": (RAW_COLOR, -1)}, "depth compression -1"),
        ({"compressions": (7, ZLIB_DEPTH)}, "colour compression 7"),
        ({"color_size": (0, 6)}, "0x6"),
        ({"depth_size": (2**31, 2**31)}, "2147483648x2147483648"),
        ({"depth_shift": 0.0}, "depth shift"),
        ({"depth_shift": float("nan")}, "depth shift"),
        ({"num_frames": 2**63}, f"{2**63} frames"),
        ({"num_frames": 40}, "40 frames"),
        ({"num_frames": 3}, "frame 2"),
    ],
)
def test_headers_that_cannot_be_are_refused(tmp_path: Path, options: dict, message: str) -> None:
    path = write_sens(tmp_path / "a.sens", random_records(2), tail=bytes(96), **options)
    with pytest.raises(DatasetError, match=message):
        SensReader(path)


def test_a_header_alone_promises_no_more_frames_than_the_file_can_hold(tmp_path: Path) -> None:
    for count in (40, 2**64 - 1):  # the second is no length of anything in Python
        path = write_sens(tmp_path / "a.sens", random_records(2), num_frames=count)
        with pytest.raises(DatasetError, match=f"promises {count} frames"):
            read_sens_header(path)


def test_truncation_names_frame_and_offset(tmp_path: Path) -> None:
    records = random_records(3)
    path = write_sens(tmp_path / "a.sens", records)
    data = path.read_bytes()
    last = len(data) - len(records[2].pack())
    for cut in (last + 200, last + 97):
        path.write_bytes(data[:cut])
        with pytest.raises(DatasetError, match=f"frame 2 at offset {last} ") as error:
            SensReader(path)
        assert "truncated" in str(error.value)
    header = len(data) - sum(len(record.pack()) for record in records)
    path.write_bytes(data[: header + 90])  # within the first head
    with pytest.raises(DatasetError, match=f"frame 0, .* at offset {header} .*truncated"):
        SensReader(path)
    path.write_bytes(data[: last + 50])  # within the head; there is room for three small frames
    with pytest.raises(DatasetError, match=f"head of frame 2 at offset {last} "):
        SensReader(path)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, TINY.stat().st_size), flip=st.integers(0, TINY.stat().st_size - 1))
def test_damaged_files_give_an_error_or_frames(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    data = bytearray(TINY.read_bytes())
    data[flip] ^= 0xFF
    path = tmp_path_factory.mktemp("sens") / "a.sens"
    path.write_bytes(data[:cut])
    try:
        with SensReader(path) as reader:
            assert all(frame.color.shape[2] == 3 for frame in reader)
            reader.imu()
    except DatasetError as error:
        message = str(error)
    else:
        message = str(path)
    assert str(path) in message


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (zlib.compress(bytes(23)), "23 bytes, expected exactly 24"),
        (zlib.compress(bytes(25)), "more than 24"),
        (zlib.compress(bytes(24))[:-2], "end of the stream"),
        (b"not zlib at all", "no zlib stream"),
    ],
    ids=["short", "long", "cut", "garbage"],
)
def test_depth_that_does_not_inflate_to_the_image(
    tmp_path: Path, depth: bytes, message: str
) -> None:
    first, second = random_records(2)
    path = write_sens(tmp_path / "a.sens", [first, Record(second.color, depth, np.eye(4))])
    with SensReader(path) as reader:
        assert reader[0].number == 0
        offset = int(reader.index.offsets[1])
        with pytest.raises(DatasetError, match=f"frame 1 at offset {offset}.*{message}"):
            reader[1]


def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(2**26), 9)
    records = [Record(random_records(1)[0].color, bomb, np.eye(4))]
    with SensReader(write_sens(tmp_path / "a.sens", records)) as reader:
        tracemalloc.start()
        with pytest.raises(DatasetError, match="more than 24"):
            reader[0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * len(bomb) + 2**20


def test_blob_sizes_are_checked_before_memory_is_asked_for(tmp_path: Path) -> None:
    color, depth = random_records(1)[0].color, random_records(1)[0].depth
    for size in (0, 2**63, len(color) + 1):
        path = write_sens(
            tmp_path / "a.sens", [Record(color, depth, np.eye(4), color_bytes=size)], tail=b"x"
        )
        with pytest.raises(DatasetError, match=f"frame 0 at offset {HEADER_BYTES} .*{size}"):
            SensReader(path)


def test_images_of_another_size_or_format_are_refused(tmp_path: Path) -> None:
    wide, jpeg, deep = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("RGB", (9, 6)).save(wide, "PNG")
    Image.new("RGB", (8, 6)).save(jpeg, "JPEG")
    Image.fromarray(np.full((6, 8), 999, np.uint16)).save(deep, "PNG")
    depth = random_records(1)[0].depth
    for blob, message in (
        (wide, "9x6 pixels, expected 8x6"),
        (jpeg, "not a readable PNG"),
        (deep, "16 bits, expected 8"),
    ):
        path = write_sens(
            tmp_path / "a.sens",
            [Record(blob.getvalue(), depth, np.eye(4))],
            compressions=(PNG_COLOR, ZLIB_DEPTH),
        )
        with SensReader(path) as reader, pytest.raises(DatasetError, match=f"frame 0.*{message}"):
            reader[0]


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sens")
    for path in (tmp_path / "missing.sens", tmp_path, tmp_path / "pipe.sens"):
        with pytest.raises(DatasetError, match=str(path)):
            SensReader(path)


def test_an_index_of_another_file_is_refused(tmp_path: Path) -> None:
    with SensReader(write_sens(tmp_path / "a.sens", random_records(2))) as reader:
        index = reader.index
    with pytest.raises(DatasetError, match="open it anew"):
        SensReader(write_sens(tmp_path / "b.sens", random_records(3)), index)


def test_a_closed_reader_reads_no_more(tmp_path: Path) -> None:
    with SensReader(write_sens(tmp_path / "a.sens", random_records(2))) as reader:
        pass
    with pytest.raises(ValueError, match="closed"):
        reader[0]


def peak_of_reading(path: Path) -> int:
    tracemalloc.start()
    with SensReader(path) as reader:
        assert sum(1 for _ in reader) == len(reader)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_frames(tmp_path: Path) -> None:
    color, depth = np.zeros((60, 80, 3), np.uint8), np.ones((30, 40))
    record = raw_record(color, depth)
    few = write_sens(tmp_path / "few.sens", [record] * 50, color_size=(80, 60), depth_size=(40, 30))
    many = write_sens(
        tmp_path / "many.sens", [record] * 1000, color_size=(80, 60), depth_size=(40, 30)
    )
    peak_of_reading(few)  # what is loaded once
    growth = peak_of_reading(many) - peak_of_reading(few)
    # 950 frames more are 14 MB more of file. The index has 8 bytes a frame; the rest is the
    # interpreter's free lists.
    assert growth < 2**20
