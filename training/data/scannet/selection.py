"""Which scans, frames and questions a run takes from ScanNet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lisa_ros.errors import ConfigurationError
from training.data.scannet.annotation import TargetKind


@dataclass(frozen=True)
class Selection:
    """Which scans and questions.

    kind: "instance" asks only for what is the one object of its category in the image, "semantic"
    for all that is visible of a category. every: of a recording, every how-manieth frame, since
    neighbours show the same (frames_25k has every 100th already). min_share: of the image, that a
    target covers at least; the default is a square of 25 px in a colour image of ScanNet.
    questions: at most so many about one image. posed_only: see `RecordedFrames`. reason_seg: the
    folder ReasonSeg, whose val and test images show ScanNet scans: all scans of those spaces are
    left out.

    Raises:
        ConfigurationError: a number out of range.

    """

    kind: TargetKind = "instance"
    every: int = 100
    min_share: float = 0.0005
    questions: int = 3
    posed_only: bool = False
    reason_seg: Path | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("instance", "semantic"):
            raise ConfigurationError(f"kind is {self.kind!r}, expected 'instance' or 'semantic'.")
        if self.every < 1 or self.questions < 1 or not 0 <= self.min_share <= 1:
            raise ConfigurationError(
                f"Got {self}, expected `every` and `questions` of 1 or more, and a `min_share` of "
                "0 to 1."
            )
