"""What can be chosen of each kind of dataset, beside its folder and split.

`max_questions`: at most so many questions about an image, each in its own conversation.
`upstream_compat`: do as upstream does, its mistakes included. `hold_out`: leave out of the train
split the images that referring sets are evaluated on (see `held_out`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.prompts import DEFAULT_PROMPT_TEMPLATE
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.set_aside import VAL_SHARE


@dataclass(frozen=True)
class Asked:
    """Of a dataset that draws questions."""

    max_questions: int = QUESTIONS_PER_IMAGE

    def __post_init__(self) -> None:
        """Refuse to ask nothing."""
        if self.max_questions < 1:
            raise ConfigurationError(f"max_questions is {self.max_questions}; expected 1 or more.")


@dataclass(frozen=True)
class AskedAsUpstream(Asked):
    """Of a dataset in which upstream makes mistakes."""

    upstream_compat: bool = False


@dataclass(frozen=True)
class CocoStuffOptions(Asked):
    """Of COCO-Stuff."""

    hold_out: bool = True


@dataclass(frozen=True)
class CocoOptions(AskedAsUpstream):
    """Of other sets of questions about COCO's images."""

    hold_out: bool = True


@dataclass(frozen=True)
class ConversationOptions:
    """Of LLaVA-Instruct, whose conversations are asked as they are.

    val_share: of the images, whose conversations are the split "val" instead of "train".
    """

    hold_out: bool = True
    val_share: float = VAL_SHARE

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not 0 <= self.val_share < 1:
            raise ConfigurationError(
                f"val_share is {self.val_share}; expected at least 0, which trains on everything, "
                "and less than 1."
            )


@dataclass(frozen=True)
class LabOptions(Asked):
    """Of a lab dataset. reason_only_share: see `lab.LabDataset`; null leaves explanations out."""

    reason_only_share: float | None = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        super().__post_init__()
        if self.reason_only_share is not None and not 0 <= self.reason_only_share <= 1:
            raise ConfigurationError(
                f"reason_only_share is {self.reason_only_share}; expected 0 to 1, or null."
            )


@dataclass(frozen=True)
class ReasonSegOptions(LabOptions):
    """Of ReasonSeg."""

    upstream_compat: bool = False


@dataclass(frozen=True)
class ScanNetOptions(Asked):
    """Of ScanNet; see `scannet.selection.Selection`, of which `target` is the `kind`."""

    target: Literal["instance", "semantic"] = "instance"
    every: int = 100
    min_share: float = 0.0005
    posed_only: bool = False


@dataclass(frozen=True)
class RoomOptions:
    """Of simulated rooms; see `simulated.SimulatedRooms`, and `KindChoice` for the kinds."""

    requests_per_image: int = QUESTIONS_PER_IMAGE
    absent_share: float = 0.25
    prompt_template: str = DEFAULT_PROMPT_TEMPLATE
    only_kinds: tuple[str, ...] = ()
    without_kinds: tuple[str, ...] = ()
    bare_answer_share: float | None = None
    taught: bool = False
