"""Colour of surfaces: Lambert light, a sky term, soft-edged shadows, highlights and patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.patterns import pattern_blend
from lisa_ros.simulation.scene import Hits, Int32Array, Scene
from lisa_ros.types import BoolArray, Float32Array, Float64Array, UInt8Array

_DISPLAY_GAMMA = 2.2


@dataclass(frozen=True, eq=False)
class Light:
    """One lamp above the table.

    position: f64[3] m. tint: f64[3] linear colour. ambient: share of the rest. radius_m: how wide
    the lamp is, which is how soft the shadows' edges are.
    """

    position: Float64Array
    tint: Float64Array
    strength: float
    ambient: float
    radius_m: float


@dataclass(frozen=True, eq=False)
class Surface:
    """What N rays show.

    point (m), normal, albedo (linear colour): f32[N,3]. gloss, glow: f32[N]. part: i32[N].
    """

    point: Float32Array
    normal: Float32Array
    albedo: Float32Array
    gloss: Float32Array
    glow: Float32Array
    part: Int32Array


class Shader:
    """Shades hits of one scene under one light; directions are those of the primary rays."""

    def __init__(self, scene: Scene, light: Light) -> None:
        self._scene = scene
        self._light = light
        materials = scene.materials
        self._first = _linear(np.array([m.color for m in materials]))
        self._second = _linear(np.array([m.second for m in materials]))
        self._gloss = np.array([m.gloss for m in materials], np.float32)
        self._glow = np.array([m.glow for m in materials], np.float32)
        looks = [(m.pattern, m.scale) for m in materials]
        self._looks = list(dict.fromkeys(looks))
        self._look_of = np.array([self._looks.index(look) for look in looks])

    def surface(self, origin: Float32Array, directions: Float32Array, hits: Hits) -> Surface:
        """Geometry and material where the rays ended."""
        triangle = hits.triangle
        normal = self._scene.normals.at(triangle, hits.uv)
        normal /= np.maximum(np.sqrt(np.einsum("ij,ij->i", normal, normal)), 1e-9)[:, None]
        away = np.einsum("ij,ij->i", normal, directions) > 0
        normal[away] *= -1
        part = self._scene.part_of[triangle]
        albedo = self._albedo(part, triangle, hits.uv)
        point = origin + hits.t[:, None] * directions
        return Surface(point, normal, albedo, self._gloss[part], self._glow[part], part)

    def _albedo(self, part: Int32Array, triangle: Int32Array, uv: Float32Array) -> Float32Array:
        albedo = self._first[part]
        look = self._look_of[part]
        for index, (pattern, scale) in enumerate(self._looks):
            if pattern == "solid":
                continue
            rows = np.flatnonzero(look == index)
            if len(rows) == 0:
                continue
            local = self._scene.local.at(triangle[rows], uv[rows])
            blend = pattern_blend(pattern, local, scale)[:, None]
            albedo[rows] += blend * (self._second[part[rows]] - albedo[rows])
        return albedo

    def shadow(self, surface: Surface, jitter: Float64Array) -> BoolArray:
        """bool[N]: whether the lamp, shifted by `jitter` f64[3] m, is hidden from each point."""
        lifted = surface.point + 1.5e-3 * surface.normal
        toward = (self._light.position + jitter).astype(np.float32) - lifted
        hidden: BoolArray = self._scene.occluded(lifted, toward)
        return hidden

    def radiance(
        self, directions: Float32Array, surface: Surface, shadow: Float32Array
    ) -> Float32Array:
        """f32[N,3] linear colour. shadow: f32[N], the hidden share of the lamp."""
        light = self._light
        toward = light.position.astype(np.float32) - surface.point
        distance2 = np.einsum("ij,ij->i", toward, toward)
        toward /= np.sqrt(distance2)[:, None]
        facing = np.maximum(np.einsum("ij,ij->i", surface.normal, toward), 0)
        view = -directions / np.sqrt(np.einsum("ij,ij->i", directions, directions))[:, None]
        front = np.maximum(np.einsum("ij,ij->i", surface.normal, view), 0)
        # The lamp is far away compared with the table, so its fall-off is kept mild.
        lamp = light.strength * (1 - shadow) * facing * (4.0 / (2.0 + distance2))
        sky = light.ambient * (0.62 + 0.22 * surface.normal[:, 2] + 0.30 * front)
        energy = lamp[:, None] * light.tint.astype(np.float32) + sky[:, None]
        half = toward + view
        half /= np.sqrt(np.maximum(np.einsum("ij,ij->i", half, half), 1e-18))[:, None]
        shine = np.maximum(np.einsum("ij,ij->i", surface.normal, half), 0)
        for _ in range(5):  # to the power of 32, which is much slower as one call
            shine *= shine
        color: Float32Array = surface.albedo * (energy + surface.glow[:, None])
        color += (0.45 * surface.gloss * shine * (1 - shadow))[:, None]
        return color


def to_display(linear: Float32Array) -> UInt8Array:
    """Linear colour as sRGB-like u8, with a soft shoulder instead of hard clipping."""
    shoulder = np.where(linear > 0.75, 0.75 + 0.25 * np.tanh((linear - 0.75) / 0.5), linear)
    value = np.clip(shoulder, 0, 1) ** (1 / _DISPLAY_GAMMA)
    return (255 * value + 0.5).astype(np.uint8)


def _linear(color: Float64Array) -> Float32Array:
    return ((color / 255.0) ** _DISPLAY_GAMMA).astype(np.float32)
