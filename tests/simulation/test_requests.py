from collections import Counter

import numpy as np
import pytest
from known_rooms import make_object, make_room

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.language import judge, normalised, parse
from lisa_ros.simulation.requests import FORMS, default_request, sample_requests
from lisa_ros.types import Status

pytestmark = pytest.mark.slow  # hundreds of rooms are rendered


def draw(rooms, split, n=8, **options):
    return [
        (room, request)
        for index, room in enumerate(rooms)
        for request in sample_requests(room, np.random.default_rng(index), n, split, **options)
    ]


@pytest.mark.parametrize("split", ["train", "unseen"])
def test_judge_agrees_with_every_request(many_rooms, split):
    for room, request in draw(many_rooms, split):
        verdict = judge(room, f"  {request.text.upper()} ")
        assert verdict.expected is (Status.FOUND if request.present else Status.NOT_FOUND)
        assert verdict.target_ids == request.target_ids
        assert request.split == split


def test_requests_are_true_by_a_simpler_count(many_rooms):
    """Of the visible objects, one (present) or none (absent) has the kind and the colour."""
    for room, request in draw(many_rooms, "train"):
        phrase = parse(request.text)
        assert phrase is not None
        fitting = [
            item.id
            for item in room.objects
            if item.visible_px > 0
            and item.kind in phrase.kinds
            and phrase.color in (None, item.color)
        ]
        if request.form != "relation":
            assert tuple(fitting) == request.target_ids
        elif request.present:
            assert set(request.target_ids) <= set(fitting)


def test_targets_are_targets_and_visible(many_rooms):
    for room, request in draw(many_rooms, "train"):
        assert len(request.target_ids) == request.present
        if request.present:
            assert request.target_ids[0] in {item.id for item in room.targets}
            assert room.mask(request.target_ids).sum() >= 40


def test_shares_of_forms_and_of_absent_requests(many_rooms):
    drawn = [request for _, request in draw(many_rooms, "train")]
    assert np.mean([not request.present for request in drawn]) == pytest.approx(0.25, abs=0.02)
    forms = Counter(request.form for request in drawn)
    wanted = {
        "name": 0.25,
        "attribute": 0.25,
        "description": 0.10,
        "relation": 0.15,
        "implicit": 0.25,
    }
    for form in FORMS:
        assert forms[form] / len(drawn) == pytest.approx(wanted[form], abs=0.06)
        for present in (True, False):
            assert any(r.form == form and r.present is present for r in drawn)


def test_absent_share_can_be_chosen(many_rooms):
    few = many_rooms[:15]
    assert all(request.present for _, request in draw(few, "train", absent_share=0.0))
    assert not any(request.present for _, request in draw(few, "train", absent_share=1.0))


def test_absent_requests_include_wrong_colours_and_look_alikes(many_rooms):
    wrong_colour = 0
    for room, request in draw(many_rooms, "train"):
        phrase = parse(request.text)
        if not request.present and request.form == "attribute":
            wrong_colour += any(item.kind in phrase.kinds for item in room.objects)
    assert wrong_colour > 30


def test_texts_are_distinct_and_drawn_from_the_generator_alone(many_rooms):
    for room in many_rooms[:20]:
        first = sample_requests(room, np.random.default_rng(4), 12)
        again = sample_requests(room, np.random.default_rng(4), 12)
        assert first == again
        assert len({normalised(request.text) for request in first}) == len(first) == 12
        assert sample_requests(room, np.random.default_rng(5), 12) != first
    assert sample_requests(many_rooms[0], np.random.default_rng(0), 0) == []


def test_unknown_phrasings_are_an_error(many_rooms):
    with pytest.raises(SimulationError, match=r"'test'.*train, unseen"):
        sample_requests(many_rooms[0], np.random.default_rng(0), 4, "test")  # type: ignore[arg-type]


def test_the_default_request_is_an_implicit_one_that_is_present(many_rooms):
    for room in many_rooms[:60]:
        text = default_request(room)
        assert text == default_request(room)
        assert judge(room, text).expected is Status.FOUND


def test_the_default_request_is_for_something_in_plain_view(many_rooms):
    asked, all_targets = [], []
    for room in many_rooms[:60]:
        (target_id,) = judge(room, default_request(room)).target_ids
        asked += [item.visible_px for item in room.objects if item.id == target_id]
        all_targets += [item.visible_px for item in room.targets]
    assert np.median(asked) > 1.3 * np.median(all_targets)


def test_a_room_without_anything_to_ask_for_is_an_error():
    twins = make_room(make_object(1, "phone"), make_object(2, "phone"))
    with pytest.raises(SimulationError, match="without ambiguity"):
        default_request(twins)
