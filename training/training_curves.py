"""A picture of a run: its losses, and the scores of its validations."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.run_log import read_losses

CURVES_FILE = "training_curves.png"
_LOSSES = ("ce", "bce", "dice")
_SCORES = ("giou", "ciou")
_WINDOW_SHARE = 0.02  # of a run, that a smoothed point averages


def draw_curves(out: Path) -> Path:
    """Draw `out/losses.jsonl` into `out/training_curves.png`, and return that path."""
    lines = read_losses(out)
    names = [name for name in (*_LOSSES, "total", "learning_rate") if any(name in x for x in lines)]
    scored = any(name in line for line in lines for name in _SCORES)
    count = len(names) + scored
    figure = Figure(figsize=(4.2 * min(count, 3), 3.0 * -(-count // 3)), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(-(-count // 3), min(count, 3), squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        steps, values = _series(lines, name)
        axis.plot(steps, values, color="#9db8d9", linewidth=0.6)
        axis.plot(steps, _smoothed(values), color="#1f4e8c", linewidth=1.5)
        axis.set(title=name.replace("_", " "), xlabel="step")
    if scored:
        for name in _SCORES:
            axes[len(names)].plot(*_series(lines, name), marker="o", label=name)
        axes[len(names)].set(title="validation", xlabel="step", ylim=(0, 1))
        axes[len(names)].legend()
    for axis in axes[count:]:
        axis.axis("off")
    picture = io.BytesIO()
    canvas.print_png(picture)  # type: ignore[no-untyped-call]
    path = out / CURVES_FILE
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(picture.getvalue())
    aside.replace(path)
    return path


def _series(lines: list[dict[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    found = [(line["step"], line[name]) for line in lines if name in line]
    steps, values = zip(*found, strict=True)
    return np.array(steps), np.array(values, dtype=np.float64)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A running mean; at the ends, of what there is."""
    window = np.ones(max(1, round(len(values) * _WINDOW_SHARE)))
    weight = np.convolve(np.ones_like(values), window, "same")
    return np.asarray(np.convolve(values, window, "same") / weight)
