"""What moves in a moving room, and what the camera's picture says about it."""

import numpy as np
import pytest

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.camera import CameraSpec, project
from lisa_ros.simulation.motion import MOTIONS, PERIOD_S, MovingRoom
from lisa_ros.simulation.room import generate_room

SEED, CAMERA = 3, CameraSpec(160, 120)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def room():
    return generate_room(SEED, camera=CAMERA)


@pytest.fixture(scope="module")
def target(room):
    return max(room.targets, key=lambda item: item.visible_px)


@pytest.mark.parametrize("motion", [m for m in MOTIONS if m != "occlusion"])
def test_it_begins_as_the_room_of_its_seed_and_comes_back(motion, room, target):
    moving = MovingRoom(SEED, target.id, motion, CAMERA)
    for seconds in (0.0, PERIOD_S):
        moment = moving.at(seconds)
        assert (moment.instances == room.instances).mean() > 0.999
        np.testing.assert_allclose(moment.frame.depth_m, room.depth_m, atol=2e-3, rtol=0.05)
    assert moving.room.seed == SEED


def test_the_camera_moves_and_the_world_does_not(room, target):
    moving = MovingRoom(SEED, target.id, "camera", CAMERA)
    moment = moving.at(PERIOD_S / 4)
    assert np.linalg.norm(moment.T_world_camera[:3, 3] - room.T_world_camera[:3, 3]) > 0.2
    rotation = moment.T_world_camera[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-9)
    mask = moment.mask(target.id)
    v, u = np.nonzero(mask)
    where = target.T_world_object[:3, 3][None]
    (foot,) = project(room.intrinsics, moment.T_world_camera, where)
    assert u.min() - 3 <= foot[0] <= u.max() + 3
    assert v.min() - 3 <= foot[1] <= v.max() + 6


def test_the_object_moves_and_nothing_else(room, target):
    moment = MovingRoom(SEED, target.id, "object", CAMERA).at(PERIOD_S / 4)
    np.testing.assert_array_equal(moment.T_world_camera, room.T_world_camera)
    before, after = room.mask([target.id]), moment.mask(target.id)
    assert np.nonzero(after)[1].mean() - np.nonzero(before)[1].mean() > 8
    elsewhere = ~before & ~after & (room.instances > 0)
    np.testing.assert_array_equal(moment.instances[elsewhere], room.instances[elsewhere])


def test_the_board_hides_the_target_and_goes(target):
    moving = MovingRoom(SEED, target.id, "occlusion", CAMERA)
    visible = [moving.at(share * PERIOD_S).mask(target.id).sum() for share in (0, 0.5, 1)]
    assert visible[1] == 0
    assert min(visible[0], visible[2]) > 0.9 * target.visible_px


def test_the_camera_turns_away_from_everything(target):
    moment = MovingRoom(SEED, target.id, "away", CAMERA).at(PERIOD_S / 2)
    assert not moment.mask(target.id).any()
    assert np.isfinite(moment.frame.depth_m).all()


def test_what_does_not_exist_is_refused():
    with pytest.raises(SimulationError, match="no object 99"):
        MovingRoom(SEED, 99, "still", CAMERA)
    with pytest.raises(SimulationError, match="still, camera, object"):
        MovingRoom(SEED, 1, "dance", CAMERA)
