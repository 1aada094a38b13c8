"""Whatever the messages hold: a frame, a reason, or an error of ours, and little memory."""

from __future__ import annotations

import array
import io
import struct
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from rvl_writer import rvl_words
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from lisa_ros.errors import LisaError
from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.frame_decoding import FrameDecoder
from lisa_ros.nodes.frames import Camera
from lisa_ros.types import RgbdFrame

STREAMS = ("image", "depth", "camera_info", "depth_camera_info")
NOW_S = 1000
POSE = np.array([[1.0, 0, 0, 0.05], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
# What imports, caches and sentences may take beside the images; claims go up to 2**32 squared.
FIXED_BYTES = 8 * 2**20
BYTES_PER_BYTE = 2000

sizes = st.one_of(st.integers(0, 9), st.sampled_from([2**16, 2**31, 2**32 - 1]))
numbers = st.one_of(
    st.sampled_from([0.0, 4.0, -4.0, 1e-300, 1e300, float("nan"), float("inf")]),
    st.floats(-20, 20),
)
headers = st.builds(
    Header,
    stamp=st.builds(
        Time,
        sec=st.sampled_from([NOW_S] * 6 + [0, -1, NOW_S - 50, NOW_S + 1, 2**31 - 1]),
        nanosec=st.sampled_from([0] * 6 + [1, 10_000_000, 2**32 - 1]),
    ),
    frame_id=st.sampled_from(["camera"] * 5 + ["lens", "", "/camera", "x" * 1000, "ü\0"]),
)
small_data = st.binary(max_size=400).map(lambda data: array.array("B", data))


def file_of(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, format=kind)
    return file.getvalue()


CONFIGS = [struct.pack("<iff", 0, *pair) for pair in ((1000.0, 1.0), (0.0, 0.0), (np.nan, np.inf))]
FILES = [
    file_of(np.full((4, 6, 3), 9, np.uint8), "PNG"),
    file_of(np.full((4, 6, 3), 9, np.uint8), "JPEG"),
    *(config + file_of(np.full((4, 6), 900, np.uint16), "PNG") for config in CONFIGS),
    *(
        config + struct.pack("<II", columns, rows) + rvl_words([0, 8, 3, 10, 1, 2, 3, 4, 5, 1])
        for config in CONFIGS
        for columns, rows in ((6, 4), (2**16, 2**16), (2**32 - 1, 1))
    ),
]


def damaged(data: bytes, changes: list[tuple[int, int]]) -> array.array[int]:
    octets = bytearray(data)
    for place, value in changes:
        octets[place % len(octets)] = value
    return array.array("B", octets)


raw_images = st.builds(
    Image,
    header=headers,
    height=sizes,
    width=sizes,
    encoding=st.sampled_from(
        [
            "rgb8",
            "bgra8",
            "mono8",
            "16UC1",
            "mono16",
            "32FC1",
            "yuv422_yuy2",
            "bayer_rggb8",
            "",
            "ü",
        ]
    ),
    is_bigendian=st.sampled_from([0, 1, 255]),
    step=st.one_of(sizes, st.integers(0, 60)),
    data=small_data,
)
compressed_images = st.builds(
    CompressedImage,
    header=headers,
    format=st.sampled_from(
        [
            "jpeg",
            "rgb8; png compressed bgr8",
            "16UC1; compressedDepth png",
            "16UC1; compressedDepth rvl",
            "32FC1; compressedDepth png",
            "32FC1; compressedDepth rvl",
            "",
            ";",
            "bayer_rggb8; png compressed ",
            "y" * 1000,
        ]
    ),
    data=st.one_of(
        small_data,
        st.builds(
            damaged,
            st.sampled_from(FILES),
            st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), max_size=3),
        ),
    ),
)
camera_infos = st.builds(
    CameraInfo,
    header=headers,
    height=sizes,
    width=sizes,
    distortion_model=st.sampled_from(["", "plumb_bob", "equidistant", "rational_polynomial"]),
    d=st.one_of(st.just([]), st.lists(numbers, max_size=8)),
    k=st.lists(numbers, min_size=9, max_size=9),
    p=st.lists(numbers, min_size=12, max_size=12),
    binning_x=sizes,
    binning_y=sizes,
    roi=st.builds(
        RegionOfInterest, x_offset=sizes, y_offset=sizes, width=sizes, height=sizes
    ),
)  # fmt: skip
images = st.one_of(raw_images, compressed_images)


@st.composite
def fitting_sets(draw: Any) -> list[tuple[str, Any]]:
    """Messages of one camera that go together, but for what is in them."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    header = Header(stamp=Time(sec=NOW_S), frame_id="camera")
    lens = Header(stamp=Time(sec=NOW_S), frame_id=draw(st.sampled_from(["camera", "lens"])))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    depth_height, depth_width = draw(
        st.sampled_from([(height, width), (2 * height, 2 * width), (5, 3)])
    )
    depth_m = rng.uniform(0.3, 5.0, depth_height * depth_width).astype(np.float32)
    depth = bytearray(depth_m.tobytes())
    for place in rng.integers(0, len(depth), 9):  # any exponent, any NaN
        depth[place] = rng.integers(0, 256)

    def info(rows: int, columns: int, its_header: Header) -> CameraInfo:
        focal = draw(st.sampled_from([4.0, 30.0]))
        k = [focal, 0.0, columns / 2, 0.0, focal, rows / 2, 0.0, 0.0, 1.0]
        p = [focal, 0.0, columns / 2, 0.0, 0.0, focal, rows / 2, 0.0, 0.0, 0.0, 1.0, 0.0]
        if draw(st.integers(0, 3)) == 0:
            k[draw(st.integers(0, 8))] = draw(numbers)
        model = draw(st.sampled_from(["plumb_bob", "equidistant"]))
        bent = st.floats(-0.5, 0.5) if draw(st.integers(0, 3)) else numbers
        d = draw(st.one_of(st.just([]), st.lists(bent, min_size=4, max_size=4)))
        return CameraInfo(
            header=its_header, height=rows, width=columns, k=k, p=p, d=d, distortion_model=model
        )

    return [
        (
            "image",
            Image(
                header=header, height=height, width=width, encoding="mono8", step=width,
                data=array.array("B", bytes(height * width)),
            ),
        ),
        (
            "depth",
            Image(
                header=lens, height=depth_height, width=depth_width, encoding="32FC1",
                step=4 * depth_width, data=array.array("B", depth),
            ),
        ),
        ("camera_info", info(height, width, header)),
        ("depth_camera_info", info(depth_height, depth_width, lens)),
    ]  # fmt: skip


anything = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(STREAMS[:2]), images),
        st.tuples(st.sampled_from(STREAMS[2:]), camera_infos),
    ),
    max_size=12,
)


def look_at(messages: list[tuple[str, Any]], *, rectified: bool) -> RgbdFrame | NoFrame:
    camera = Camera(
        {name: f"/lisa/{name}" for name in STREAMS},
        FrameDecoder(rectified=rectified, aligner=DepthAligner(depth_to_color=POSE)),
        sync_slop_s=0.02,
        sync_queue_size=3,
        now_ns=lambda: NOW_S * 10**9,
    )
    for stream, message in messages:
        camera.add(stream, message)
    camera.states()
    return camera.wait_for_frame(1.0, 0.0, should_stop=lambda: False)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.one_of(anything, fitting_sets(), st.builds(list.__add__, fitting_sets(), anything)),
    st.booleans(),
)
def test_messages_of_any_kind_are_frames_or_reasons_and_cost_no_more_than_they_hold(
    messages: list[tuple[str, Any]], rectified: bool
) -> None:
    held = sum(len(message.data) for _, message in messages if not isinstance(message, CameraInfo))
    tracemalloc.start()
    try:
        with suppress(LisaError):
            found = look_at(messages, rectified=rectified)
            assert isinstance(found, NoFrame) or found.image.shape[2] == 3
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= FIXED_BYTES + BYTES_PER_BYTE * held


def test_sets_that_fit_do_become_frames() -> None:
    """Else the test above would show little."""
    header = Header(stamp=Time(sec=NOW_S), frame_id="camera")
    k = [4.0, 0.0, 2.0, 0.0, 4.0, 1.5, 0.0, 0.0, 1.0]
    info = CameraInfo(header=header, height=4, width=5, k=k)
    pixels = array.array("B", bytes(20))
    depth = array.array("B", np.full(20, 1.5, np.float32).tobytes())
    found = look_at(
        [
            (
                "image",
                Image(header=header, height=4, width=5, encoding="mono8", step=5, data=pixels),
            ),
            (
                "depth",
                Image(header=header, height=4, width=5, encoding="32FC1", step=20, data=depth),
            ),
            ("camera_info", info),
        ],
        rectified=False,
    )
    assert isinstance(found, RgbdFrame)
    assert found.depth_m[3, 4] == 1.5


@pytest.mark.slow
def test_flood_of_messages_is_held_within_bounds() -> None:
    camera = Camera(
        {name: f"/lisa/{name}" for name in STREAMS},
        FrameDecoder(rectified=False, aligner=DepthAligner()),
        sync_slop_s=0.0,
        sync_queue_size=5,
        now_ns=lambda: NOW_S * 10**9,
    )
    tracemalloc.start()
    try:
        for number in range(2000):
            header = Header(stamp=Time(sec=NOW_S, nanosec=number), frame_id="camera")
            data = array.array("B", bytes(10_000))
            image = Image(
                header=header, height=100, width=100, encoding="mono8", step=100, data=data
            )
            camera.add("image", image)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 20 * 10_000
    assert camera.states()["image"].unmatched == 1995
