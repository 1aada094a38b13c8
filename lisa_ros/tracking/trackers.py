"""The trackers by name."""

from __future__ import annotations

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.tracking.flow import FlowSource
from lisa_ros.tracking.gated import GatedTracker, MaskSource
from lisa_ros.tracking.redecode import RedecodeSource

TRACKERS = ("redecode", "flow", "sam2")


def tracker_named(
    name: str, segmenter: Segmenter, *, sam2_model: str = "", device: str = "cpu"
) -> GatedTracker:
    """Return a tracker: one of TRACKERS, behind the default gates.

    segmenter: decodes for redecode and flow. sam2_model: folder or hub id of a SAM 2 or EdgeTAM
    video model, for sam2. device: where that runs.

    Raises ConfigurationError for an unknown name or a missing model, ModelError for a segmenter
    that cannot decode again, and what `load_video_model` raises.
    """
    return GatedTracker(_source(name, segmenter, sam2_model, device))


def _source(name: str, segmenter: Segmenter, sam2_model: str, device: str) -> MaskSource:
    if name == "redecode":
        return RedecodeSource(segmenter)
    if name == "flow":
        return FlowSource(RedecodeSource(segmenter))
    if name != "sam2":
        raise ConfigurationError(f"Unknown tracker {name!r}; choose one of {', '.join(TRACKERS)}.")
    if not sam2_model:
        raise ConfigurationError(
            "The tracker sam2 needs weights, which do not come with this package: set sam2_model "
            "to a folder or hub id such as facebook/sam2.1-hiera-tiny (Apache-2.0)."
        )
    # These import torch and transformers, which the other trackers need only through the segmenter.
    from lisa_ros.tracking.sam2 import Sam2Source
    from lisa_ros.tracking.video_models import load_video_model

    return Sam2Source(*load_video_model(sam2_model, device))
