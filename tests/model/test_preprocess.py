"""Pixels as the two towers want them. Upstream's own arrays are compared in tests/golden."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lisa_ros.errors import CheckpointMismatchError, ConfigurationError, ImageError
from lisa_ros.model.preprocess import (
    CLIP_MEAN,
    SAM_MEAN,
    SAM_STD,
    ClipProcessor,
    check_image,
    clip_input,
    clip_view,
    sam_input,
    sam_resized_hw,
)
from lisa_ros.model.views import seen_boxes

try:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
except ImportError:  # transformers 4, whose plain name is the one that resizes with PIL
    from transformers import CLIPImageProcessor as CLIPImageProcessorPil

PROCESSOR = ClipProcessor(size=56)
# Images that are not refused for their shape (64 times as long as wide).
sizes = st.tuples(st.integers(3, 150), st.integers(3, 150))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (75, 403, (191, 1024)),
        (240, 320, (768, 1024)),
        (300, 201, (1024, 686)),
        (191, 288, (679, 1024)),
        (389, 97, (1024, 255)),
        (1, 1, (1024, 1024)),
    ],
)
def test_sam_size_rounds_half_up(height, width, expected):
    assert sam_resized_hw(height, width, 1024) == expected


@given(sizes)
@settings(max_examples=25, deadline=None)
def test_sam_pads_after_normalising(hw):
    pixels, (height, width) = sam_input(noise(*hw), 160)
    assert pixels.shape == (3, 160, 160)
    assert max(height, width) == 160
    assert not pixels[:, height:, :].any()
    assert not pixels[:, :, width:].any()


def test_sam_values_are_the_normalised_pil_resize():
    image = noise(40, 64)
    pixels, (height, width) = sam_input(image, 32)
    resized = np.asarray(Image.fromarray(image).resize((32, 20), Image.Resampling.BILINEAR))
    expected = (resized.astype(np.float32) - np.float32(SAM_MEAN[0])) / np.float32(SAM_STD[0])
    assert (height, width) == (20, 32)
    np.testing.assert_array_equal(pixels[0, :20].numpy(), expected[..., 0])


@given(sizes)
@settings(max_examples=40, deadline=None)
def test_clip_equals_transformers_own_processor(hw):
    image = noise(*hw)
    theirs = CLIPImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}
    )
    batch = theirs(
        images=Image.fromarray(image), return_tensors="pt", input_data_format="channels_last"
    )
    expected = batch["pixel_values"][0]
    torch.testing.assert_close(clip_input(image, PROCESSOR), expected, rtol=0, atol=3e-7)


@given(sizes, st.sampled_from(["center", "letterbox"]))
@settings(max_examples=40, deadline=None)
def test_clip_sees_what_seen_boxes_says(hw, view):
    """Pixels outside the box never change the view; the whole box is inside the image."""
    height, width = hw
    ((left, top, right, bottom),) = seen_boxes(height, width, view)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    # The bicubic kernel reaches two source pixels (more when shrinking) over the edge of the crop.
    margin = 3 + 3 * min(height, width) // PROCESSOR.size
    image = noise(height, width)
    blacked = image.copy()
    blacked[:, : max(0, left - margin)] = 0
    blacked[:, right + margin :] = 0
    blacked[: max(0, top - margin)] = 0
    blacked[bottom + margin :] = 0
    np.testing.assert_array_equal(
        clip_view(image, PROCESSOR, view), clip_view(blacked, PROCESSOR, view)
    )


def test_letterbox_borders_with_the_mean_colour():
    seen = clip_view(np.full((20, 80, 3), 255, np.uint8), PROCESSOR, "letterbox")
    mean = np.rint(np.array(CLIP_MEAN) * 255)
    np.testing.assert_array_equal(seen[:21], np.broadcast_to(mean, (21, 56, 3)))
    np.testing.assert_array_equal(seen[21:35], 255)
    np.testing.assert_array_equal(seen[35:], np.broadcast_to(mean, (21, 56, 3)))


def test_square_images_look_the_same_in_both_views():
    image = noise(77, 77)
    np.testing.assert_array_equal(
        clip_view(image, PROCESSOR, "center"), clip_view(image, PROCESSOR, "letterbox")
    )


def test_tiles_are_not_one_picture():
    with pytest.raises(ConfigurationError, match=r"several pictures.*letterbox"):
        clip_view(noise(8, 8), PROCESSOR, "tiles")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        [[[0, 0, 0]]],
    ],
)
def test_malformed_images_are_refused(image):
    with pytest.raises(ImageError, match="expected"):
        check_image(image)


def test_views_of_arrays_are_accepted():
    image = noise(30, 40)
    flipped = image[:, ::-1]
    np.testing.assert_array_equal(
        sam_input(flipped, 32).pixels.numpy(), sam_input(flipped.copy(), 32).pixels.numpy()
    )


def test_images_without_a_short_side_are_refused():
    with pytest.raises(ImageError, match="too elongated"):
        sam_input(np.zeros((1, 3000, 3), np.uint8), 64)


def test_a_line_of_pixels_is_not_blown_up():
    assert clip_view(noise(2, 128), PROCESSOR).shape == (PROCESSOR.size, PROCESSOR.size, 3)
    for shape in ((2, 129), (129, 2)):
        with pytest.raises(ImageError, match="too elongated"):
            clip_view(noise(*shape), PROCESSOR)


def test_preprocessor_configs_of_both_generations():
    old = {"size": 224, "crop_size": 224, "resample": 3}
    new = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    assert ClipProcessor.from_config(old).size == 224
    assert ClipProcessor.from_config(new).size == 336


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", {"height": 224, "width": 224}),  # squashes
        ("size", {"shortest_edge": 224, "longest_edge": 448}),
        ("size", {"shortest_edge": "224"}),
        ("size", [224, 224]),
        ("size", "224"),
        ("size", True),
        ("size", 0),
        ("size", {}),
        ("size", None),
        ("crop_size", 336),
        ("crop_size", {"shortest_edge": 224}),
        ("crop_size", {"height": 224, "width": 336}),
        ("crop_size", [224]),
        ("resample", 2),
        ("resample", "bicubic"),
        ("do_resize", False),
        ("do_center_crop", False),
        ("do_rescale", False),
        ("do_normalize", False),
        ("do_normalize", "no"),
        ("rescale_factor", 1 / 127.5),
        ("rescale_factor", "1/255"),
        ("image_mean", [0.5, 0.5]),
        ("image_mean", 0.5),
        ("image_mean", ["a", "b", "c"]),
        ("image_mean", [0.5, 0.5, float("nan")]),
        ("image_mean", "abc"),
        ("image_std", [0.5, 0.5, 0]),
        ("image_std", None),
    ],
)
def test_another_preprocessor_is_refused_by_field(name, value):
    config = {"size": 224, "crop_size": 224, "do_resize": True, "rescale_factor": 1 / 255}
    assert ClipProcessor.from_config(config).size == 224
    with pytest.raises(CheckpointMismatchError, match=rf"preprocessor_config\.json: {name} is "):
        ClipProcessor.from_config({**config, name: value})


@pytest.mark.parametrize("name", ["size", "crop_size"])
def test_a_preprocessor_without_a_size_is_refused(name):
    config = {"size": 224, "crop_size": 224}
    del config[name]
    with pytest.raises(CheckpointMismatchError, match=f"{name} is None"):
        ClipProcessor.from_config(config)
