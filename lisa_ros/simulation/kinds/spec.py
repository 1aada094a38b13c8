"""What the scene builder knows about a kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.material import Part


@dataclass(frozen=True)
class KindSpec:
    """A kind of object.

    build: makes the parts of one object, standing on z = 0, its front towards -y, with a main
    colour and freedom left to the generator. colors: the main colours it comes in. nameable:
    whether people would call the object by its main colour; where not, all its colours are accents.
    accents: other colours that one may argue it has. max_turn_rad: how far its front may turn away
    from the camera. size: factor on what `build` makes; things are brought a little closer to each
    other in size than they are in life, so that small ones can be seen and large ones do not fill
    the picture.
    """

    kind: str
    build: Callable[[np.random.Generator, str], list[Part]]
    colors: tuple[str, ...]
    nameable: bool = True
    accents: tuple[str, ...] = ()
    max_turn_rad: float = float(np.pi)
    size: float = 1.0
