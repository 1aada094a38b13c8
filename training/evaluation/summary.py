"""All figures of an evaluation, as `summary.json` holds them and as they are printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import LoadedLisa
from training.evaluation.figures import doubts, set_figures
from training.evaluation.record import Record
from training.evaluation.report import text_table
from training.evaluation.room_figures import summary, table
from training.evaluation.talk import TalkRecord, talk_doubts, talk_figures


def summarised(
    command: str,
    loaded: LoadedLisa,
    engine: LisaEngine,
    records: Sequence[Record],
    spoken: Sequence[TalkRecord] | None,
) -> dict[str, Any]:
    """What `summary.json` holds: figures by set and mode, and how they were come by."""
    threshold = loaded.settings.found_threshold
    grouped: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        grouped.setdefault(record.dataset, {}).setdefault(record.mode, []).append(record)
    of_each = [chosen for modes in grouped.values() for chosen in modes.values()]
    talked = None if spoken is None else talk_figures(spoken, loaded.config.vocab_size)
    return {
        "model": loaded.name,
        "command": command,
        "conversation_template": engine.capabilities.conversation,
        "view": engine.capabilities.view,
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "found_threshold": threshold,
        "doubts": [
            *(doubt for chosen in of_each for doubt in doubts(chosen)),
            *(talk_doubts(talked) if talked is not None else ()),
        ],
        "sets": {
            name: {mode: set_figures(chosen, threshold) for mode, chosen in modes.items()}
            for name, modes in grouped.items()
        },
        "conversation": talked,
    }


def printed_sets(found: dict[str, Any]) -> str:
    """A table for each set and mode, and a last line of JSON with the figures over all."""
    parts = []
    for name, modes in found["sets"].items():
        for mode, figures in modes.items():
            named = {"overall": figures["overall"], **figures["forms"], **figures["sources"]}
            parts.append(f"{name}, {mode}\n{text_table(named)}\n")
    if found["conversation"] is not None:
        parts.append(f"conversation: {found['conversation']}\n")
    overall = {
        name: {mode: figures["overall"] for mode, figures in modes.items()}
        for name, modes in found["sets"].items()
    }
    line = {"model": found["model"], "sets": overall, "conversation": found["conversation"]}
    return "\n".join([*parts, json.dumps(line, allow_nan=False)])


def printed_rooms(
    options: argparse.Namespace, records: Sequence[Record], threshold: float | None
) -> str:
    """A table by form of request and a line of JSON; those of the published protocol are last."""
    sizes = sorted({f"{r.width_px}x{r.height_px}" for r in records})
    asked = {name: getattr(options, name) for name in ("model", "data", "seed", "rooms")}
    how = {"image_size": sizes, "phrasings": options.phrasings, "noise": options.noise}
    parts = []
    for mode in sorted({r.mode for r in records}):  # generated, then prompted
        chosen = [r for r in records if r.mode == mode]
        figures = {**summary(chosen, threshold), **how, **asked}
        parts += [f"{mode}:", table(chosen, threshold), json.dumps(figures)]
    return "\n".join(parts)
