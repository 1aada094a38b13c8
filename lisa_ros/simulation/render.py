"""A scene as image, z-depth and instances, seen by a pinhole camera.

Depth and instances come from one ray through each pixel's centre, so that they agree exactly with
the intrinsics; only colour is anti-aliased, with more rays where neighbouring pixels differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.camera import ray_directions
from lisa_ros.simulation.scene import Hits, Scene
from lisa_ros.simulation.shading import Light, Shader, Surface, to_display
from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics, UInt8Array

# A rotated grid: four samples with distinct rows and columns.
_SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
_LAMP_SAMPLES = 4
_PENUMBRA_PX = 3
_EDGE_CONTRAST = 0.06


@dataclass(frozen=True, eq=False)
class View:
    """The rays through all pixel centres and what they met."""

    intrinsics: Intrinsics
    T_world_camera: Float64Array
    directions: Float32Array
    hits: Hits

    @property
    def origin(self) -> Float32Array:
        """f32[3], the camera's position in the world."""
        return self.T_world_camera[:3, 3].astype(np.float32)


def look(scene: Scene, intrinsics: Intrinsics, T_world_camera: Float64Array) -> View:
    """Cast one ray through the centre of each pixel."""
    v, u = np.mgrid[: intrinsics.height, : intrinsics.width].astype(np.float32)
    directions = ray_directions(intrinsics, T_world_camera, u.ravel(), v.ravel())
    origin = T_world_camera[:3, 3].astype(np.float32)
    return View(intrinsics, T_world_camera, directions, scene.cast(origin, directions))


def instances_of(scene: Scene, view: View) -> UInt8Array:
    """u8[H,W]: the instance at each pixel; 0 is furniture, or nothing at all."""
    triangle = view.hits.triangle
    instance = np.where(triangle >= 0, scene.instance_of[triangle], 0)
    return instance.astype(np.uint8).reshape(view.intrinsics.height, view.intrinsics.width)


def depth_of(view: View) -> Float32Array:
    """f32[H,W], true z-depth in metres."""
    return view.hits.t.reshape(view.intrinsics.height, view.intrinsics.width)


def shade(scene: Scene, view: View, light: Light) -> UInt8Array:
    """u8[H,W,3], the colour image of what `view` met. The scene must be closed: every ray hits."""
    shape = (view.intrinsics.height, view.intrinsics.width)
    shader = Shader(scene, light)
    surface = shader.surface(view.origin, view.directions, view.hits)
    shadow = _soft_shadow(shader, surface, light, shape)
    color = shader.radiance(view.directions, surface, shadow)
    edges = _edges(surface, shape)
    rows = np.flatnonzero(edges)
    if len(rows):
        color[rows] = _supersampled(scene, shader, view, rows, shadow[rows])
    return to_display(color).reshape(*shape, 3)


def _soft_shadow(
    shader: Shader, surface: Surface, light: Light, shape: tuple[int, int]
) -> Float32Array:
    """The hidden share of the lamp; a wide lamp is sampled only around the edges of its shadows."""
    shadow = shader.shadow(surface, np.zeros(3)).astype(np.float32)
    rows = np.flatnonzero(_near_change(shadow.reshape(shape) > 0.5, _PENUMBRA_PX))
    if len(rows) == 0:
        return shadow
    some = _rows_of(surface, rows)
    total = shadow[rows].copy()
    for index in range(_LAMP_SAMPLES):
        angle = 2 * np.pi * index / _LAMP_SAMPLES + 0.4
        jitter = light.radius_m * np.array([np.cos(angle), np.sin(angle), 0.0])
        total += shader.shadow(some, jitter)
    shadow[rows] = total / (_LAMP_SAMPLES + 1)
    return shadow


def _supersampled(
    scene: Scene, shader: Shader, view: View, rows: np.ndarray, shadow: Float32Array
) -> Float32Array:
    """f32[R,3], the mean over sub-pixel rays of the pixels `rows`, with their pixel's shadow."""
    width = view.intrinsics.width
    v, u = np.divmod(rows, width)
    offsets = np.array(_SUBPIXELS, np.float32)
    u = (u[:, None] + offsets[:, 0]).astype(np.float32).ravel()
    v = (v[:, None] + offsets[:, 1]).astype(np.float32).ravel()
    directions = ray_directions(view.intrinsics, view.T_world_camera, u, v)
    hits = scene.cast(view.origin, directions)
    surface = shader.surface(view.origin, directions, hits)
    color = shader.radiance(directions, surface, np.repeat(shadow, len(offsets)))
    mean: Float32Array = color.reshape(len(rows), len(offsets), 3).mean(axis=1)
    return mean


def _edges(surface: Surface, shape: tuple[int, int]) -> BoolArray:
    """bool[H*W]: pixels beside another part, a crease or a change of colour."""
    part = surface.part.reshape(shape)
    tone = np.sqrt(surface.albedo.mean(axis=1)).reshape(shape)
    normal = surface.normal.reshape(*shape, 3)
    edges = np.zeros(shape, bool)
    for here, there in (
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        differs = part[here] != part[there]
        differs |= np.abs(tone[here] - tone[there]) > _EDGE_CONTRAST
        differs |= np.einsum("hwc,hwc->hw", normal[here], normal[there]) < 0.7
        edges[here] |= differs
        edges[there] |= differs
    return edges.ravel()


def _near_change(mask: BoolArray, reach_px: int) -> BoolArray:
    """bool[H*W]: pixels within `reach_px` of a border of `mask` (square neighbourhood)."""
    grown, shrunk = mask.copy(), mask.copy()
    for _ in range(reach_px):
        for axis in (0, 1):
            ahead, behind = np.roll(grown, 1, axis), np.roll(grown, -1, axis)
            grown = grown | ahead | behind
            ahead, behind = np.roll(shrunk, 1, axis), np.roll(shrunk, -1, axis)
            shrunk = shrunk & ahead & behind
    return (grown & ~shrunk).ravel()


def _rows_of(surface: Surface, rows: np.ndarray) -> Surface:
    return Surface(
        surface.point[rows],
        surface.normal[rows],
        surface.albedo[rows],
        surface.gloss[rows],
        surface.glow[rows],
        surface.part[rows],
    )
