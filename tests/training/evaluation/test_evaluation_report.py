"""The page that people look at: it parses, and its pictures are there and right."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from known_answers import RedSquares, absent, never_rejecting, record, square
from PIL import Image

from training.evaluation.asking import Protocol
from training.evaluation.figures import set_figures
from training.evaluation.pictures import Picture, choose, panels, pictures
from training.evaluation.report import evaluation_page, text_table
from training.evaluation.running import Examiner, evaluate_set

VOID = {"meta", "img", "br"}
PROMPTED = Protocol("prompted")
NAME = "squares|val"


class Checker(HTMLParser):
    """Collects images and text; fails where tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(never_rejecting(), (PROMPTED,))


def test_the_worst_the_best_and_others_are_chosen_once() -> None:
    records = [record(i, intersection=i % 11) for i in range(40)] + [
        absent(i) for i in range(40, 50)
    ]
    worst, best, random = choose(records, seed=0, each=5)
    assert [c.kind for c in (worst, best, random)] == ["worst", "best", "random"]
    assert max(r.iou for r in worst.records) <= 0.1
    assert min(r.iou for r in best.records) >= 0.9
    assert all(r.present for r in best.records)
    shown = [r.key for choice in (worst, best, random) for r in choice.records]
    assert len(set(shown)) == 15
    assert choose(records, seed=0, each=5)[2] == random
    assert choose(records, seed=1, each=5)[2] != random


def test_of_few_records_all_are_shown() -> None:
    choices = choose([record(0), absent(1)], seed=0)
    assert sum(len(choice.records) for choice in choices) == 2


def test_a_picture_shows_image_truth_and_prediction() -> None:
    image = RedSquares().image(3)
    truth = image.questions[0].truth
    picture = np.array(panels(image.pixels, truth, square(8) > 0), np.int64)
    height, width = truth.shape
    scale = 4
    assert picture.shape == (height * scale, 3 * width * scale + 8, 3)
    middles = [panel * (width * scale + 4) for panel in range(3)]

    def pixel(panel: int, u: int, v: int) -> tuple[int, ...]:
        return tuple(picture[v * scale + 2, middles[panel] + u * scale + 2])

    only_true, only_found, corner = (17, 12), (9, 12), (1, 1)
    assert pixel(1, *only_true) != pixel(0, *only_true) == pixel(2, *only_true)
    assert pixel(2, *only_found) != pixel(0, *only_found) == pixel(1, *only_found)
    assert pixel(1, *corner) != pixel(0, *corner) == pixel(2, *corner)


def test_the_page_holds_figures_and_pictures(examiner: Examiner) -> None:
    records = evaluate_set(examiner, RedSquares())
    drawn = pictures(examiner, RedSquares(), PROMPTED, choose(records, seed=0, each=2))
    hostile = Picture(
        "random", record(question="<b>x</b> & y", answer="</figure>"), drawn[0].jpeg_uri
    )
    summary = {
        "model": "m<1>",
        "command": "python -m training.evaluate",
        "doubts": ["Is it a LISA?"],
        "sets": {NAME: {"prompted": set_figures(records, 0.5)}},
        "conversation": {
            "n": 3, "tokens": 40, "loss": 1.5, "guessing_loss": 6.5, "stray_rate": 0.25,
        },
    }  # fmt: skip
    html = evaluation_page(summary, {(NAME, "prompted"): [*drawn, hostile]}).decode()
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert "http" not in html
    assert "prefers-color-scheme: dark" in html
    assert len(checker.images) == 7
    for uri in checker.images:
        kind, _, data = uri.partition(";base64,")
        assert kind == "data:image/jpeg"
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
            assert image.size == (3 * 32 * 4 + 8, 24 * 4)
            image.load()
    for text in ("m<1>", "<b>x</b> & y", "the red thing", "Is it a LISA?", "IoU 1.000", "left"):
        assert text in checker.text
    assert "expected calibration error" in checker.text


def test_a_table_of_text_leaves_out_what_nobody_has() -> None:
    figures = set_figures([record(0), record(1)], None)
    lines = text_table({"overall": figures["overall"]}).split("\n")
    assert "found" not in lines[0]
    assert "gIoU" in lines[0]
    assert len({len(line) for line in lines}) == 1
