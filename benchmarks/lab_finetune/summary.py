"""The experiment's figures for people: a table, a picture, a line of JSON."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.lab_finetune.results import NEW, OLD, Results
from lisa_ros.durable_files import replacing

_COLUMNS = (NEW, "by kind alone", OLD, "change of old kinds")
_COLORS = {NEW: "#1f4e8c", OLD: "#8a8a8a"}


class Spread(NamedTuple):
    """Over the seeds."""

    mean: float
    lowest: float
    highest: float


class Row(NamedTuple):
    """Trials with equally many frames; gIoU.

    alone: of the new kinds, by requests that say nothing but the kind. kept: of the old kinds,
    minus what it was before.
    """

    frames: int
    seeds: int
    new: Spread
    alone: Spread
    old: Spread
    kept: Spread


def rows(results: Results) -> list[Row]:
    """The trials by their number of frames."""
    before = results["before"][OLD]["giou"]
    found = []
    for frames in sorted({trial["frames"] for trial in results["trials"].values()}):
        trials = [trial for trial in results["trials"].values() if trial["frames"] == frames]
        new, old = (np.array([trial[name]["giou"] for trial in trials]) for name in (NEW, OLD))
        alone = np.array([trial[NEW]["kind_alone"]["giou"] for trial in trials])
        spreads = map(_spread, (new, alone, old, old - before))
        found.append(Row(frames, len(trials), *spreads))
    return found


def table(results: Results) -> str:
    """A line for the base, and one for each number of frames; then the new kinds by form."""
    new, old = (results["before"][name] for name in (NEW, OLD))
    lines = [f"{'frames':>8}{'seeds':>7}" + "".join(f"{name:>24}" for name in _COLUMNS)]
    base = "".join(f"{each['giou']:>24.3f}" for each in (new, new["kind_alone"], old))
    lines.append(f"{'before':>8}{'':>7}{base}")
    for row in rows(results):
        spreads = "".join(f"{_told(spread):>24}" for spread in _spreads(row).values())
        lines.append(f"{row.frames:>8}{row.seeds:>7}{spreads}")
    forms = sorted(new["forms"])
    lines += ["", f"{'frames':>8}{'':>7}" + "".join(f"{form:>13}" for form in forms)]
    lines.append(f"{'before':>8}{'':>7}" + _cells([new], forms))
    for row in rows(results):
        trials = [t[NEW] for t in results["trials"].values() if t["frames"] == row.frames]
        lines.append(f"{row.frames:>8}{row.seeds:>7}" + _cells(trials, forms))
    return "\n".join(lines)


def last_line(results: Results) -> dict[str, Any]:
    """What the last line printed says."""
    new, old = (results["before"][name] for name in (NEW, OLD))
    before = zip(_COLUMNS, (new, new["kind_alone"], old), strict=False)
    return {
        "kinds": results["setup"]["kinds"],
        "before": {name: round(each["giou"], 4) for name, each in before},
        "after": [
            {
                "frames": row.frames,
                "seeds": row.seeds,
                **{
                    name: {key: round(value, 4) for key, value in spread._asdict().items()}
                    for name, spread in _spreads(row).items()
                },
            }
            for row in rows(results)
        ],
    }


def draw(results: Results, path: Path) -> None:
    """Draw gIoU over the number of frames: means, each seed, and dashed what it was before."""
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axis = figure.subplots()
    found = rows(results)
    frames = [row.frames for row in found]
    for name, spreads in ((NEW, [r.new for r in found]), (OLD, [r.old for r in found])):
        color, (means, lowest, highest) = _COLORS[name], zip(*spreads, strict=True)
        axis.fill_between(frames, lowest, highest, color=color, alpha=0.2, linewidth=0)
        axis.plot(frames, means, color=color, marker="o", label=f"{name}, after")
        for trial in results["trials"].values():
            axis.plot(trial["frames"], trial[name]["giou"], ".", color=color, alpha=0.5)
        before = results["before"][name]["giou"]
        axis.axhline(before, color=color, linestyle="--", label=f"{name}, before")
    axis.set(xlabel="labelled frames", ylabel="gIoU on unseen rooms", ylim=(0, 1), xticks=frames)
    axis.legend(ncols=2, loc="upper center")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with replacing(path) as file:
        file.write(picture.getvalue())


def _spreads(row: Row) -> dict[str, Spread]:
    return dict(zip(_COLUMNS, (row.new, row.alone, row.old, row.kept), strict=True))


def _spread(values: np.ndarray) -> Spread:
    return Spread(float(values.mean()), float(values.min()), float(values.max()))


def _told(spread: Spread) -> str:
    return f"{spread.mean:.3f} ({spread.lowest:.3f}..{spread.highest:.3f})"


def _cells(figures: list[dict[str, Any]], forms: list[str]) -> str:
    means = [np.mean([each["forms"][form]["giou"] for each in figures]) for form in forms]
    return "".join(f"{mean:>13.3f}" for mean in means)
