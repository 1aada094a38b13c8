"""Where the truth is shown to SAM, and what its answer means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from known_answers import square
from random_lisa import noise_image, random_lisa

from lisa_ros.errors import ModelError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.segmenter import EncodedImage
from training.evaluation.attribution import (
    TruePrompts,
    _blocks_to_edge,
    attributed,
    sam_oracle,
    true_prompts,
)

ANY = EncodedImage((24, 32))


def test_an_oracle_that_finds_the_object_blames_the_language() -> None:
    truth = square(8)
    half = np.where(np.arange(32) < 12, truth, 0) > 0
    nothing = np.zeros_like(half)
    assert attributed(ANY, truth, lambda *_: np.stack([nothing, half])) == "did not understand"
    less = np.where(np.arange(32) < 11, truth, 0) > 0
    assert attributed(ANY, truth, lambda *_: np.stack([nothing, less])) == "did not see"


def test_ignored_pixels_do_not_count_against_the_oracle() -> None:
    truth = square(8)
    truth[:, 20:] = 255
    generous = (truth == 1) | (truth == 255)
    assert attributed(ANY, truth, lambda *_: generous[None]) == "did not understand"


def test_the_click_is_in_the_thickest_part_and_the_box_around_all() -> None:
    mask = square(2, 2, 3) + square(12, 10, 9) > 0
    assert true_prompts(mask) == TruePrompts((16, 14), (2, 2, 20, 18))
    one = np.zeros((4, 5), bool)
    one[0, 4] = True
    assert true_prompts(one) == TruePrompts((4, 0), (4, 0, 4, 0))


def test_the_border_of_the_image_is_an_edge() -> None:
    assert true_prompts(np.ones((9, 9), bool)).click == (4, 4)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_distances_are_those_of_brute_force(mask: np.ndarray) -> None:
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    expected = np.array(
        [
            [np.abs(outside - (v + 1, u + 1)).sum(axis=1).min() for u in range(mask.shape[1])]
            for v in range(mask.shape[0])
        ]
    )
    np.testing.assert_array_equal(_blocks_to_edge(mask), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sams_own_prompt_encoder_and_decoder_are_asked(dtype: torch.dtype) -> None:
    loaded = random_lisa()
    loaded.model.to(dtype)
    engine, sam = LisaEngine(loaded), loaded.model.sam
    image = engine.encode_image(noise_image(48, 96))
    prompts = TruePrompts((30, 20), (10, 8, 50, 40))
    with torch.inference_mode():
        masks = sam_oracle(loaded.model)(image, prompts)
    assert masks.shape == (2, 48, 96)
    assert masks.dtype == bool
    if dtype == torch.float32:
        scale = 64 / 96  # of the longest side to SAM's input
        point = torch.tensor([[[30.5 * scale - 0.5, 20.5 * scale - 0.5]]])
        box = (torch.tensor([[10.5, 8.5, 50.5, 40.5]]) * scale) - 0.5
        with torch.inference_mode():
            for number, given_prompt in enumerate(
                (
                    {"points": (point, torch.ones(1, 1)), "boxes": None},
                    {"points": None, "boxes": box},
                )
            ):
                sparse, dense = sam.prompt_encoder(masks=None, **given_prompt)
                low_res, _ = sam.mask_decoder(
                    image_embeddings=image.sam_embedding[None],
                    image_pe=sam.prompt_encoder.get_dense_pe(),
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=False,
                )
                logits = loaded.model.postprocess_masks(low_res[:, 0], (32, 64), (48, 96))
                certain = logits[0].abs().numpy() > 1e-4
                expected = logits[0].numpy() > 0
                np.testing.assert_array_equal(masks[number][certain], expected[certain])


def test_an_image_of_another_backend_is_refused() -> None:
    with pytest.raises(ModelError, match="LisaEngine"):
        sam_oracle(random_lisa().model)(ANY, TruePrompts((0, 0), (0, 0, 1, 1)))
