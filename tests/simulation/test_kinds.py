import numpy as np
import pytest

from lisa_ros.simulation.kinds import KINDS, LOOK_ALIKES
from lisa_ros.simulation.material import COLORS, jittered
from lisa_ros.simulation.mesh import (
    box,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    rounded_rectangle,
    tube,
)
from lisa_ros.simulation.patterns import pattern_blend
from lisa_ros.simulation.placement import Thing


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_on_the_table_in_a_sensible_size(kind):
    spec = KINDS[kind]
    for color in spec.colors:
        assert color in COLORS
        for seed in range(3):
            thing = Thing.of(spec.build(np.random.default_rng(seed), color), spec.size)
            assert -0.003 <= thing.low[2] <= 0.006
            size = thing.high - thing.low
            assert 0.08 <= size.max() <= 0.40
            for part in thing.parts:
                assert np.isfinite(part.mesh.corners).all()
                lengths = np.linalg.norm(part.mesh.normals, axis=-1)
                np.testing.assert_allclose(lengths, 1.0, atol=1e-3)


def test_objects_of_one_kind_differ():
    for spec in KINDS.values():
        first, second = (
            spec.build(np.random.default_rng(seed), spec.colors[0]) for seed in range(2)
        )
        same_shape = all(
            a.mesh.corners.shape == b.mesh.corners.shape
            and np.allclose(a.mesh.corners, b.mesh.corners)
            for a, b in zip(first, second, strict=False)
        )
        assert not same_shape or [p.material for p in first] != [p.material for p in second]


def test_look_alikes_are_kinds():
    assert {kind for pair in LOOK_ALIKES for kind in pair} <= set(KINDS)


def test_a_jittered_colour_keeps_its_name():
    rng = np.random.default_rng(0)
    for name in COLORS:
        for _ in range(50):
            color = np.array(jittered(name, rng))
            nearest = min(COLORS, key=lambda other: np.linalg.norm(color - COLORS[other]))
            assert nearest == name


def test_colours_that_objects_are_named_by_are_far_apart():
    used = sorted({color for spec in KINDS.values() for color in spec.colors})
    for first in used:
        for second in used:
            gap = np.linalg.norm(np.subtract(COLORS[first], COLORS[second]))
            assert first == second or gap > 70


@pytest.mark.parametrize(
    "mesh",
    [
        box((1, 2, 3)),
        cylinder(0.5, 1.0, 24),
        ellipsoid((1, 2, 0.5)),
        tube([(0, 0, 0), (0, 0, 1), (0, 0.3, 2)], 0.2),
        extrude(rounded_rectangle(1.0, 2.0, 0.2), 0.3),
    ],
    ids=["box", "cylinder", "ellipsoid", "tube", "extrusion"],
)
def test_closed_meshes_have_no_holes(mesh):
    """The area vectors of a closed surface, turned outwards by its normals, add up to nothing."""
    a, b, c = (mesh.corners[:, i].astype(float) for i in range(3))
    area = np.cross(b - a, c - a) / 2
    outward = mesh.normals.mean(axis=1)
    area *= np.sign((area * outward).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(area.sum(axis=0), 0.0, atol=1e-4 * np.abs(area).sum())


def test_a_box_has_its_volume_and_a_lathe_its_radius():
    mesh = box((1, 2, 3), (5, 5, 5))
    a, b, c = (mesh.corners[:, i].astype(float) - 5 for i in range(3))
    volume = np.abs(np.einsum("ij,ij->i", a, np.cross(b, c))).sum() / 6
    assert volume == pytest.approx(6.0)
    ring = lathe([(2.0, 0.0), (2.0, 1.0)], 32)
    np.testing.assert_allclose(np.hypot(ring.corners[..., 0], ring.corners[..., 1]), 2.0, rtol=1e-6)
    np.testing.assert_allclose(ring.normals[..., :2], ring.corners[..., :2] / 2.0, atol=0.11)


def test_patterns_blend_between_none_and_all():
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (2000, 3)).astype(np.float32)
    for name in ("solid", "bands", "thin_bands", "stripes", "checks", "wood", "planks", "speckle",
                 "panels", "dots", "keys", "print", "hills"):  # fmt: skip
        blend = pattern_blend(name, points, 20.0)
        assert blend.dtype == np.float32
        assert blend.min() >= 0.0
        assert blend.max() <= 1.0 + 1e-6
        assert name == "solid" or blend.std() > 0.01


def test_footprints_collide_only_when_closer_than_the_gap():
    thing = Thing.of(KINDS["book"].build(np.random.default_rng(0), "red"), 1.0)
    width = float((thing.high - thing.low)[0])
    first = thing.standing(np.zeros(2), 0.0)
    assert first.overlaps(thing.standing(np.array([width + 0.005, 0.0]), 0.0), 0.01)
    assert not first.overlaps(thing.standing(np.array([width + 0.015, 0.0]), 0.0), 0.01)
    assert first.overlaps(thing.standing(np.array([0.02, 0.01]), 1.0), 0.0)
