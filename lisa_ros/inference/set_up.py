"""How an engine asks: what a checkpoint says about it, unless its user says otherwise."""

from __future__ import annotations

from typing import Literal, TypedDict

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.segmenter import Capabilities, Mode
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.prompts import conversation_named, wrap_instruction
from lisa_ros.model.settings import LisaSettings
from lisa_ros.model.views import view_named

MODES: tuple[Mode, ...] = ("prompted", "generated")

Threshold = float | Literal["auto"] | None


class SetUp(TypedDict, total=False):
    """Whatever is not given is as the checkpoint says.

    conversation: "llava_v1" or "llava_llama_2". A released checkpoint does not say which it was
    trained with; those made from Llama 2 need the latter. view, prompt_template: see
    `preprocess.clip_view`, `views.pieces` and `prompts.wrap_instruction`. None for any of these is
    the checkpoint's. found_threshold: 0..1, None for "never refuse a prompted answer", "auto" for
    the checkpoint's.
    """

    conversation: str | None
    view: str | None
    prompt_template: str | None
    found_threshold: Threshold


def capabilities_of(loaded: LoadedLisa, set_up: SetUp) -> Capabilities:
    """Return what a checkpoint can do with this set-up; ConfigurationError if it cannot."""
    settings = loaded.settings
    threshold = set_up.get("found_threshold", "auto")
    threshold = settings.found_threshold if threshold == "auto" else threshold
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigurationError(f"found_threshold is {threshold}; expected 0..1, None or 'auto'.")
    view, template = set_up.get("view"), set_up.get("prompt_template")
    template = settings.prompt_template if template is None else template
    wrap_instruction("", template)
    return Capabilities(
        name=loaded.name,
        modes=MODES,
        supports_redecode=True,
        supports_streaming=True,
        found_threshold=threshold,
        demo_model=settings.demo_model,
        view=view_named(settings.view if view is None else view),
        prompt_template=template,
        conversation=conversation_named(set_up.get("conversation") or settings.conversation).name,
    )


def is_calibrated(capabilities: Capabilities, settings: LisaSettings) -> bool:
    """Say whether all that `seg_probability` and its threshold depend on is as it was measured."""
    names = ("found_threshold", "view", "prompt_template", "conversation")
    as_stored = all(getattr(capabilities, name) == getattr(settings, name) for name in names)
    return capabilities.found_threshold is not None and as_stored


def check_options(mode: str, max_new_tokens: int) -> None:
    """Raise ConfigurationError for a mode that there is not, or an answer without a token."""
    if mode not in MODES:
        raise ConfigurationError(f"Unknown mode {mode!r}; choose one of {', '.join(MODES)}.")
    if max_new_tokens < 1:
        raise ConfigurationError(f"max_new_tokens is {max_new_tokens}; expected at least 1.")
