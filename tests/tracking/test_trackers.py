"""The redecode and flow trackers with a fake segmenter that knows colours only."""

import math

import numpy as np
import pytest
from fakes import FakeSegmenter
from moving_shapes import BLUE, RED, Disc, frame_of

from lisa_ros.errors import ConfigurationError, MaskError, ModelError
from lisa_ros.tracking.gates import overlap
from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.tracking.trackers import tracker_named

RATE_HZ = 10
RED_EMBEDDING, BLUE_EMBEDDING = np.float32(RED), np.float32(BLUE)


class CountingSegmenter(FakeSegmenter):
    def __init__(self):
        super().__init__()
        self.encoded = 0

    def encode_image(self, image, should_stop=None):
        self.encoded += 1
        return super().encode_image(image, should_stop)


@pytest.fixture
def segmenter():
    return CountingSegmenter()


@pytest.fixture(params=["redecode", "flow"])
def tracker(request, segmenter):
    return tracker_named(request.param, segmenter)


def started(tracker, *discs, depth=True):
    """Follow discs, by ids from 1; red and blue ones."""
    seeds = [
        Seed(i, disc.mask, RED_EMBEDDING if disc.colour == RED else BLUE_EMBEDDING)
        for i, disc in enumerate(discs, start=1)
    ]
    tracker.start(frame_of(discs, depth=depth), seeds)
    return tracker


def circling(step, **options):
    """A disc on a circle: up to 5 px a frame."""
    angle = 0.15 * step
    return Disc(62 + 32 * math.sin(angle), 48 + 25 * math.cos(angle), **options)


@pytest.mark.parametrize("depth", [True, False])
def test_a_moving_target_is_followed(tracker, depth):
    started(tracker, circling(0), depth=depth)
    for step in range(1, 20):
        disc = circling(step)
        found = tracker.update(frame_of([disc], step / RATE_HZ, depth=depth))
        assert list(found) == [1]
        assert overlap(found[1].mask, disc.mask) > 0.8, step


def test_a_target_that_comes_nearer_grows(tracker):
    started(tracker, Disc(64, 48, radius=10))
    for step in range(1, 12):
        disc = Disc(64, 48, radius=10 * 1.07**step, z_m=1.07**-step)
        found = tracker.update(frame_of([disc], step / RATE_HZ))
        assert overlap(found[1].mask, disc.mask) > 0.7, step


def test_flow_spares_encodings(segmenter):
    tracker = started(tracker_named("flow", segmenter), circling(0))
    for step in range(1, 11):
        tracker.update(frame_of([circling(step)], step / RATE_HZ))
    assert segmenter.encoded == 2
    tracker = started(tracker_named("redecode", segmenter), circling(0))
    segmenter.encoded = 0
    tracker.update(frame_of([circling(1)], 0.1))
    assert segmenter.encoded == 1


def test_a_covered_target_is_lost_with_a_reason_and_found_again(tracker):
    target = Disc(64, 48, radius=10)
    started(tracker, target)
    states = []
    for step in range(1, 41):
        cover = Disc(4 + 4 * step, 48, radius=24, colour=BLUE, z_m=0.6)
        frame = frame_of([target, cover], step / RATE_HZ)
        found = tracker.update(frame)[1]
        visible = (target.mask & ~cover.mask).sum() / target.mask.sum()
        if isinstance(found, Sighting):
            assert overlap(found.mask, target.mask) >= 0.5 * visible, step
        if visible == 0:
            assert isinstance(found, Lost), step
            assert found.reason
        states.append(isinstance(found, Sighting))
    assert states[0]
    assert states[-1]
    assert not all(states)


@pytest.mark.slow
def test_a_target_out_of_view_is_lost_and_comes_back_with_its_id(tracker):
    started(tracker, Disc(64, 48), Disc(30, 30, colour=BLUE, radius=10))
    path = [*range(64, 160, 6), *range(160, 64, -6)]
    other = Disc(30, 30, colour=BLUE, radius=10)
    for step, u in enumerate(path, start=1):
        disc = Disc(u, 48)
        found = tracker.update(frame_of([disc, other], step / RATE_HZ))
        assert overlap(found[2].mask, other.mask) > 0.9
        if not disc.mask.any():
            assert isinstance(found[1], Lost)
    assert overlap(found[1].mask, disc.mask) > 0.8


@pytest.mark.slow
def test_twins_keep_their_ids(tracker):
    """Two red things, decoded from one embedding, pass close to each other."""
    started(tracker, Disc(30, 30, radius=9), Disc(100, 66, radius=9))
    for step in range(1, 24):
        left, right = Disc(30 + 3 * step, 30, radius=9), Disc(100 - 3 * step, 66, radius=9)
        found = tracker.update(frame_of([left, right], step / RATE_HZ))
        assert overlap(found[1].mask, left.mask) > 0.8, step
        assert overlap(found[2].mask, right.mask) > 0.8, step


def test_a_look_alike_elsewhere_is_not_the_target(tracker):
    """The target vanishes at once; what is left of its colour is half a metre away."""
    twin = Disc(104, 48, radius=12)
    started(tracker, Disc(30, 48, radius=12))
    tracker.update(frame_of([Disc(31, 48, radius=12), twin], 0.1))
    found = tracker.update(frame_of([twin], 0.2))
    assert isinstance(found[1], Lost)
    assert found[1].reason


def test_two_targets_never_become_one(tracker):
    started(tracker, Disc(50, 48, radius=10), Disc(78, 48, radius=10))
    found = tracker.update(frame_of([Disc(52, 48, radius=10)], 0.1))
    assert isinstance(found[1], Sighting)
    assert isinstance(found[2], Lost)


def test_a_target_that_moved_while_time_began_again_is_found_in_a_while(tracker):
    """A bag that is played in a loop; another target stays in sight, so that nothing is asked."""
    other = Disc(64, 80, colour=BLUE, radius=10)
    tracker.start(
        frame_of([Disc(20, 30), other], 60.0),
        [Seed(1, Disc(20, 30).mask, RED_EMBEDDING), Seed(2, other.mask, BLUE_EMBEDDING)],
    )
    found = []
    for step in range(12):
        states = tracker.update(frame_of([Disc(110, 30), other], 5.0 + step / RATE_HZ))
        assert isinstance(states[2], Sighting)
        found.append(isinstance(states[1], Sighting))
    assert not found[0]  # it would have jumped
    assert found[-1]


def test_another_image_size_loses_everything_and_says_so(tracker):
    started(tracker, Disc(64, 48))
    frame = frame_of([Disc(64, 48)], 0.1)
    small = type(frame)(frame.image[:48, :64], None, None, "camera", frame.stamp_ns)
    found = tracker.update(small)
    assert "from 128x96 to 64x48 pixels" in found[1].reason


def test_starting_afresh_forgets_the_old_targets(tracker):
    started(tracker, Disc(64, 48))
    started(tracker, Disc(40, 40, colour=BLUE))
    found = tracker.update(frame_of([Disc(41, 40, colour=BLUE)], 0.1))
    assert overlap(found[1].mask, Disc(41, 40).mask) > 0.8


def test_new_masks_are_named_after_what_they_look_like(tracker):
    red, blue = Disc(40, 40), Disc(90, 50, colour=BLUE)
    started(tracker, red, blue)
    green = Disc(60, 80, colour=(35, 180, 35), radius=8)
    moved = [Disc(100, 40, colour=BLUE), green, Disc(30, 40)]
    frame = frame_of(moved, 5.0)
    assert tracker.identify(frame, [disc.mask for disc in moved]) == [2, 3, 1]


def test_of_two_twins_the_nearer_has_the_name(tracker):
    started(tracker, Disc(40, 40))
    moved = [Disc(100, 40), Disc(45, 40)]
    assert tracker.identify(frame_of(moved, 5.0), [disc.mask for disc in moved]) == [2, 1]


def test_seeds_that_cannot_be_followed_are_refused(tracker):
    frame, mask = frame_of([Disc(64, 48)]), Disc(64, 48).mask
    for seeds, message in (
        ([], "at least one"),
        ([Seed(1, mask, RED_EMBEDDING)] * 2, "no id twice"),
        ([Seed(1, mask[:-1], RED_EMBEDDING)], "expected \\(96, 128\\)"),
        ([Seed(1, mask & ~mask, RED_EMBEDDING)], "not an empty one"),
    ):
        with pytest.raises(MaskError, match=message):
            tracker.start(frame, seeds)


def test_trackers_are_named(segmenter):
    with pytest.raises(ConfigurationError, match="redecode, flow, sam2"):
        tracker_named("magic", segmenter)
    with pytest.raises(ConfigurationError, match="sam2_model"):
        tracker_named("sam2", segmenter)


def test_a_segmenter_that_cannot_decode_again_is_refused(segmenter):
    capabilities = segmenter.capabilities
    segmenter.capabilities = type(capabilities)(
        **{**vars(capabilities), "supports_redecode": False}
    )
    with pytest.raises(ModelError, match="cannot decode an embedding again"):
        tracker_named("redecode", segmenter)
