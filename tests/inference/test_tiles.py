"""The view `tiles`: each tile is asked as an image of its own, and their answers become one."""

import numpy as np
import pytest
from random_lisa import noise_image, random_lisa

from lisa_ros.errors import GenerationCanceledError, ModelError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.merging import accepting_pieces, surest_piece

LISA = random_lisa()
WIDE = noise_image(36, 64)  # tiles are columns 0..35 and 28..63
CROPS = [np.ascontiguousarray(WIDE[:, :36]), np.ascontiguousarray(WIDE[:, 28:])]


def engine(view, threshold=None):
    return LisaEngine(LISA, view=view, found_threshold=threshold)


def whole(parts):
    """Return the union of masks bool[S,36,36] of the two tiles, None for one without a part."""
    found = np.zeros((1, 36, 64), bool)
    for part, columns in zip(parts, (np.s_[:36], np.s_[28:]), strict=True):
        if part is not None:
            found[:, :, columns] |= part
    return found


def assert_same_answer(a, b):
    for field in ("masks", "scores", "seg_embeddings"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert (a.text, a.seg_probability, a.found, a.seen) == (
        b.text,
        b.seg_probability,
        b.found,
        b.seen,
    )


@pytest.mark.parametrize("mode", ["prompted", "generated"])
def test_a_square_image_looks_the_same_in_every_view(mode):
    square = noise_image(40, 40)
    center, letterbox, tiles = (
        engine(view).segment(square, "the mug", mode=mode, max_new_tokens=10)
        for view in ("center", "letterbox", "tiles")
    )
    assert_same_answer(tiles, center)
    assert_same_answer(tiles, letterbox)


def test_without_a_threshold_the_surest_tile_answers():
    answer = engine("tiles").segment(WIDE, "the mug")
    alone = [engine("letterbox").segment(crop, "the mug") for crop in CROPS]
    probabilities = [a.seg_probability for a in alone]
    best = int(np.argmax(probabilities))
    assert answer.seg_probability == pytest.approx(max(probabilities), abs=1e-6)
    expected = whole([a.masks if i == best else None for i, a in enumerate(alone)])
    np.testing.assert_array_equal(answer.masks, expected)
    assert answer.seen == ((0, 0, 36, 36), (28, 0, 64, 36))


@pytest.mark.parametrize("accepting", [2, 1, 0])
def test_with_a_threshold_every_tile_that_accepts_takes_part(accepting):
    alone = [engine("letterbox").segment(crop, "the mug") for crop in CROPS]
    low, high = sorted(a.seg_probability for a in alone)
    assert high - low > 1e-4  # else this image shows nothing
    threshold = {2: low / 2, 1: (low + high) / 2, 0: (high + 1) / 2}[accepting]
    answer = engine("tiles", threshold).segment(WIDE, "the mug")
    parts = [a.masks if a.seg_probability >= threshold else None for a in alone]
    if accepting:
        np.testing.assert_array_equal(answer.masks, whole(parts))
        assert (answer.text, answer.found) == ("[SEG].", True)
    else:
        assert answer.masks.shape == (0, 36, 64)
        assert not answer.found


def test_a_generated_answer_is_about_the_surest_tile():
    answer = engine("tiles").segment(WIDE, "the mug", mode="generated", max_new_tokens=12)
    alone = [
        engine("letterbox").segment(crop, "the mug", mode="generated", max_new_tokens=12)
        for crop in CROPS
    ]
    best = max(range(2), key=lambda i: alone[i].seg_probability)
    assert answer.text == alone[best].text
    assert len(answer.masks) > 0
    expected = [
        whole([m[None] if i == best else None for i in range(2)]) for m in alone[best].masks
    ]
    np.testing.assert_array_equal(answer.masks, np.concatenate(expected))


def test_a_tile_shows_what_the_centre_crop_hides():
    hidden = WIDE.copy()
    hidden[:, :10] = 255 - hidden[:, :10]

    def change(view):
        answers = [engine(view, 0.0).segment(i, "mug").seg_embeddings for i in (WIDE, hidden)]
        return np.abs(answers[0] - answers[1]).max()

    assert change("center") == 0
    assert change("tiles") > 1e-3


@pytest.mark.parametrize("answering", ["center", "tiles"])
@pytest.mark.parametrize("decoding", ["center", "letterbox", "tiles"])
def test_embeddings_decode_whatever_the_view_is_now(answering, decoding):
    """A target is followed on when the view is changed meanwhile."""
    answer = engine(answering).segment(WIDE, "the mug")
    assert answer.masks.any()
    masks, scores = engine(decoding).decode(WIDE, answer.seg_embeddings)
    np.testing.assert_array_equal(masks, answer.masks)
    np.testing.assert_array_equal(scores, answer.scores)


def test_embeddings_fit_images_in_as_many_pieces():
    tiles = engine("tiles", 0.0)
    embeddings = tiles.segment(WIDE, "the mug").seg_embeddings
    for square in (noise_image(40, 40), tiles.encode_image(noise_image(40, 40))):
        with pytest.raises(ModelError, match=r"expected \[S,32\].*1 piece"):
            tiles.decode(square, embeddings)
    for wrong in (embeddings[:, :-1], embeddings[:, :0], embeddings[0], np.tile(embeddings, 2)):
        with pytest.raises(ModelError, match=r"Got embeddings"):
            tiles.decode(WIDE, wrong)


@pytest.mark.parametrize("view", ["letterbox", "tiles"])
def test_encoding_stops_between_its_stages(view):
    """Six stages for two tiles: after any of them a stop ends the work."""
    n_stages = {"letterbox": 3, "tiles": 6}[view]
    for n_polls in range(1, n_stages + 1):
        polls = iter([False] * (n_polls - 1) + [True])
        with pytest.raises(GenerationCanceledError):
            engine(view).encode_image(WIDE, should_stop=lambda polls=polls: next(polls))
        assert next(polls, "used up") == "used up"
    engine(view).encode_image(WIDE, should_stop=iter([False] * n_stages).__next__)


def test_which_pieces_accept():
    assert accepting_pieces([0.2, 0.9, 0.5], 0.5) == [1, 2]
    assert accepting_pieces([0.2, 0.9, 0.5], 0.95) == []
    assert accepting_pieces([0.2, 0.9, 0.9], None) == [1] == [surest_piece([0.2, 0.9, 0.9])]
