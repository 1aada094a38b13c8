"""Whether two frames show the same view: what an earlier turn of a conversation is about.

A sketch holds the edges of a view at 16 × 12 cells. Two views are the same when their edges
correlate. Measured on 30 simulated rooms (correlation, 5th and 95th percentile): other light and
noise 0.99 to 1.00; a tenth of the image covered 0.57 to 1.00; the camera panned by 2 % of the
width 0.82 to 0.97, by 4 % 0.54 to 0.85, by 20 % -0.17 to 0.46; another room -0.14 to 0.22 (at most
0.37 in 435 pairs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lisa_ros.types import Float32Array, RgbdFrame

_CELLS_WH = (16, 12)
_SAME_CORRELATION = 0.4


@dataclass(frozen=True, eq=False)
class ViewSketch:
    """What is kept of a frame. camera: its frame and size. edges: f32[N], of length 1 or 0."""

    camera: tuple[str, int, int]
    edges: Float32Array


def sketch_view(frame: RgbdFrame) -> ViewSketch:
    """Return the sketch of a frame: mean grey values of its cells, their differences, normalised.

    Differences, because they keep their places whatever the light does.
    """
    image = Image.fromarray(frame.image).convert("L")
    cells = np.asarray(image.resize(_CELLS_WH, Image.Resampling.BOX), dtype=np.float32)
    edges = np.stack([np.diff(cells, axis=1)[1:], np.diff(cells, axis=0)[:, 1:]]).ravel()
    edges -= edges.mean()
    length = float(np.linalg.norm(edges))
    height, width = frame.image.shape[:2]
    return ViewSketch(
        (frame.frame_id, height, width), edges / np.float32(length) if length > 0 else edges
    )


def is_same_view(a: ViewSketch, b: ViewSketch) -> bool:
    """Say whether both come from one camera and show about the same.

    A view without any edge, such as a wall, is never recognised.
    """
    return a.camera == b.camera and float(a.edges @ b.edges) >= _SAME_CORRELATION
