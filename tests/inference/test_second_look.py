"""Closer looks where nothing was found: what they find, what they cost, when they end."""

import dataclasses

import numpy as np
import pytest
from fakes import FakeSegmenter
from random_lisa import noise_image, random_lisa

from lisa_ros.errors import GenerationCanceledError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.second_look import look_again

RED = (220, 30, 30)
IMAGE = np.zeros((360, 640, 3), np.uint8)
IMAGE[300:308, 600:608] = RED
TARGET = np.zeros((360, 640), bool)
TARGET[300:308, 600:608] = True
TILES = [(0, 0, 360, 360), (280, 0, 640, 360)]


class NearSighted(FakeSegmenter):
    """Sees nothing that fills less than `least_share` of an image, but guesses where it is.

    blind_below_px: it sees nothing at all in images with a shorter side than that.
    """

    def __init__(self, least_share=1 / 800, blind_below_px=0):
        super().__init__()
        self.least_share = least_share
        self.blind_below_px = blind_below_px
        self.looks = 0

    def segment(self, image, instruction, **options):
        self.looks += 1
        answer = super().segment(image, instruction, **options)
        if not answer.found:
            return answer
        share = float(answer.masks.mean())
        if share >= self.least_share and min(image.shape[:2]) >= self.blind_below_px:
            return answer
        return dataclasses.replace(
            answer,
            text="No.",
            masks=answer.masks[:0],
            scores=answer.scores[:0],
            seg_embeddings=answer.seg_embeddings[:0],
            seg_probability=0.3,
            found=False,
        )


def asked_again(segmenter, max_looks, **options):
    first = segmenter.segment(IMAGE, "the red thing")
    assert not first.found
    segmenter.looks = 0
    return look_again(segmenter, IMAGE, "the red thing", first, max_looks=max_looks, **options)


def test_a_small_thing_is_found_in_a_part_and_confirmed_in_a_close_up():
    segmenter = NearSighted()
    answer = asked_again(segmenter, 10)
    assert answer.found
    np.testing.assert_array_equal(answer.masks, TARGET[None])
    assert answer.seen[-1] == answer.decoded_in == (572, 272, 636, 336)
    assert len(answer.seen) == segmenter.looks + 1
    assert list(answer.seen[1:3]) == TILES
    assert not answer.calibrated


def test_parts_of_the_more_promising_tile_come_first():
    answer = asked_again(NearSighted(least_share=1.0), 6)
    assert all(box.left >= 280 for box in answer.seen[3:])


@pytest.mark.parametrize("max_looks", range(9))
def test_there_are_no_more_looks_than_allowed(max_looks):
    segmenter = NearSighted()
    answer = asked_again(segmenter, max_looks)
    assert segmenter.looks <= max_looks
    if not answer.found:  # one is kept for confirming
        assert segmenter.looks == max(0, max_looks - 1)
        assert answer.text == "No."
        assert len(answer.seen) == segmenter.looks + 1


def test_looking_ends_when_there_is_nothing_left_to_look_at():
    segmenter = NearSighted(least_share=1.0)
    assert not asked_again(segmenter, 10_000).found
    assert segmenter.looks < 200


def test_what_is_not_found_again_in_the_close_up_is_not_found():
    segmenter = NearSighted(blind_below_px=100)
    assert not asked_again(segmenter, 40).found


def test_what_is_found_elsewhere_in_the_close_up_is_not_found():
    class Guessing(NearSighted):
        """Marks the same place of every picture but the whole one."""

        def segment(self, image, instruction, **options):
            if image.shape == IMAGE.shape:
                return super().segment(image, instruction, **options)
            answer = FakeSegmenter.segment(self, np.full_like(image, RED), "red")
            masks = np.zeros_like(answer.masks)
            down, right = image.shape[0] // 4, image.shape[1] // 4
            masks[:, down : down + 8, right : right + 8] = True
            return dataclasses.replace(answer, masks=masks)

    assert not asked_again(Guessing(), 40).found


def test_timings_are_those_of_all_looks():
    class Slow(NearSighted):
        def segment(self, image, instruction, **options):
            answer = super().segment(image, instruction, **options)
            return dataclasses.replace(answer, timings_ms={"prefill": 2.0})

    segmenter = Slow()
    assert asked_again(segmenter, 5).timings_ms == {"prefill": 2.0 * (1 + segmenter.looks)}


def test_a_stop_ends_the_looking():
    segmenter = NearSighted(least_share=1.0)
    with pytest.raises(GenerationCanceledError):
        asked_again(segmenter, 40, should_stop=lambda: segmenter.looks >= 3)
    assert segmenter.looks == 3


def test_tiles_that_were_seen_are_not_looked_at_again():
    engine = LisaEngine(random_lisa(), view="tiles", found_threshold=1.0)
    image = noise_image(160, 240)
    first = engine.segment(image, "the mug")
    assert not first.found
    answer = look_again(engine, image, "the mug", first, max_looks=4)
    assert answer.seen[:2] == first.seen
    assert {(box.width, box.height) for box in answer.seen[2:]} == {(96, 96)}
    assert len(answer.seen) == 2 + 3
