"""`report.html`: the figures of an evaluation and pictures of its answers, and of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from training.evaluation.comparison import Evaluated, Row
from training.evaluation.figures import Figures
from training.evaluation.page import heading, page, paragraph, table
from training.evaluation.pictures import Picture

_COLUMNS = (
    ("n", "questions", "d"),
    ("n_absent", "absent", "d"),
    ("giou", "gIoU", ".4f"),
    ("ciou", "cIoU", ".4f"),
    ("giou_present", "gIoU present", ".4f"),
    ("ciou_present", "cIoU present", ".4f"),
    ("no_target_accuracy", "no-target acc.", ".3f"),
    ("target_accuracy", "target acc.", ".3f"),
    ("found_rate", "found", ".3f"),
    ("reject_rate", "rejected", ".3f"),
    ("target_error_m_median", "3D error m", ".4f"),
    ("target_error_close", "under 3 cm", ".3f"),
    ("n_missed", "missed", "d"),
    ("n_not_understood", "not understood", "d"),
    ("n_not_seen", "not seen", "d"),
)
_MEANING = (
    "gIoU is the mean IoU of the questions, cIoU the sum of the intersections over the sum of the "
    "unions; what is absent and not marked has IoU 1. Present: questions with a target only. "
    "No-target and target accuracy: the shares where rightly nothing, and something, is marked. "
    "Found and rejected: what the checkpoint's threshold on seg_probability makes of present and "
    "absent ones. 3D error: distance of the lifted masks. Missed: IoU below one half; not "
    "understood if SAM's decoder finds the object when shown its true point or box, else not seen."
)
_MODES = {
    "prompted": "prompted: the answer [SEG]. is supplied, as in published evaluations",
    "generated": "generated: the model writes its answer; all its masks count together",
}


def evaluation_page(
    summary: Mapping[str, Any], pictures: Mapping[tuple[str, str], Sequence[Picture]]
) -> bytes:
    """The report of one model. summary: what `summary.json` holds. pictures: by set and mode."""
    body = [paragraph(str(summary["command"])), paragraph(_MEANING)]
    body += [paragraph(text, "doubt") for text in summary["doubts"]]
    for name, modes in summary["sets"].items():
        body.append(heading(name))
        for mode, found in modes.items():
            body += _set_part(mode, found, pictures.get((name, mode), ()))
    if summary["conversation"] is not None:
        body += _talk_part(summary["conversation"])
    return page(f"Evaluation of {summary['model']}", body)


def figure_table(named: Mapping[str, Figures]) -> tuple[list[str], list[list[str]]]:
    """Header and rows; columns that no row has a value for are left out."""
    columns = [c for c in _COLUMNS if any(found[c[0]] is not None for found in named.values())]
    rows = [
        [name, *(cell(found[key], form) for key, _, form in columns)]
        for name, found in named.items()
    ]
    return ["", *(title for _, title, _ in columns)], rows


def text_table(named: Mapping[str, Figures]) -> str:
    """The same as text, in columns."""
    header, rows = figure_table(named)
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for first, *others in [header, *rows]:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def cell(value: float | None, form: str) -> str:
    """A value as text; "-" for None."""
    return "-" if value is None else format(value, form)


def comparison_page(a: Evaluated, b: Evaluated, rows: Sequence[Row]) -> bytes:
    """Two models side by side."""
    header = ["set", "mode", "part", "figure", "n", "A", "B", "B - A", "95 % interval"]
    cells = []
    for row in rows:
        first, second, change, low, high = row.difference
        values = [f"{first:.4f}", f"{second:.4f}", f"{change:+.4f}", f"{low:+.4f} … {high:+.4f}"]
        cells.append([row.dataset, row.mode, row.part, row.figure, str(row.n), *values])
    body = [
        paragraph(f"A: {a.model} ({a.folder})"),
        paragraph(f"B: {b.model} ({b.folder})"),
        paragraph(
            "Intervals are of a paired bootstrap over images: both models keep the same images in "
            "each resample. No target: the share of absent targets where nothing is marked. Under "
            "3 cm: the share of lifted targets that are so near. Of the loss and of stray [SEG] in "
            "answers to plain questions less is better."
        ),
        table(header, cells),
    ]
    return page(f"{a.model} and {b.model}", body)


def _set_part(mode: str, found: Mapping[str, Any], shown: Sequence[Picture]) -> list[str]:
    named = {"overall": found["overall"]}
    for group in ("forms", "sources"):
        if len(found[group]) > 1:
            named.update(found[group])
    body = [heading(_MODES[mode], 3), table(*figure_table(named))]
    if found["reliability"] is not None:
        body += _reliability_part(found["reliability"])
    for kind, group_of_kind in groupby(shown, key=lambda p: p.kind):
        body.append(f"<h4>{escape(kind)}</h4><div class='pictures'>")
        body += [_figure(picture) for picture in group_of_kind]
        body.append("</div>")
    return body


def _reliability_part(curve: Mapping[str, Any]) -> list[str]:
    bars = "".join(
        f"<tr><td>{b['low']:.1f} to {b['high']:.1f}</td><td>{b['count']}</td>"
        f"<td>{b['confidence']:.3f}</td><td>{b['present']:.3f}</td>"
        f"<td style='width:12rem'><div class='bar' style='width:{100 * b['present']:.0f}%'></div>"
        "</td></tr>"
        for b in curve["bins"]
    )
    head = "<tr><th>seg_probability</th><th>answers</th><th>mean</th><th>present</th><th></th></tr>"
    return [
        paragraph(f"Reliability of seg_probability: expected calibration error {curve['ece']:.4f}"),
        f"<table><thead>{head}</thead><tbody>{bars}</tbody></table>",
    ]


def _figure(picture: Picture) -> str:
    record = picture.record
    miss = f", {record.miss}" if record.miss else ""
    error = "" if record.target_error_m is None else f", 3D error {record.target_error_m:.3f} m"
    what = "" if record.present else ", nothing is there"
    return (
        f'<figure><img alt="image, true mask, predicted mask" src="{picture.jpeg_uri}">'
        f"<figcaption><b>IoU {record.iou:.3f}</b>{escape(what + miss + error)}<br>"
        f"{escape(record.question)}<br>{escape(record.answer)}<br>"
        f"<small>{escape(record.image)} #{record.number}, "
        f"seg_probability {record.seg_probability:.3f}</small></figcaption></figure>"
    )


def _talk_part(found: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            str(found["n"]),
            str(found["tokens"]),
            f"{found['loss']:.4f}",
            f"{found['guessing_loss']:.4f}",
            f"{found['stray_rate']:.3f}",
        ]
    ]
    header = ["conversations", "tokens", "loss per token", "of guessing", "answers with a [SEG]"]
    return [heading("Conversation retained"), table(header, rows)]
