"""SAM's modules as LISA runs them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from random_lisa import SAM_SIZES

from lisa_ros.errors import ModelError
from lisa_ros.model.sam import Sam


@pytest.fixture(scope="module")
def sam() -> Sam:
    torch.manual_seed(3)
    module = Sam(SAM_SIZES).eval()
    module.init_weights()
    return module.requires_grad_(False)


@pytest.mark.slow
def test_importing_leaves_no_trace_and_no_warning() -> None:
    """Neither torchvision nor a half-loaded segment_anything, and not a single warning."""
    program = (
        "import sys, lisa_ros.model.checkpoint\n"
        "found = {'torchvision', 'segment_anything'} & set(sys.modules)\n"
        "sys.exit(', '.join(found) or 0)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stderr


def test_positional_encoding_is_the_packages_own(sam: Sam) -> None:
    expected = sam.prompt_encoder.get_dense_pe()
    torch.testing.assert_close(sam.dense_positional_encoding(), expected, rtol=0, atol=0)


def test_positional_encoding_stays_in_reduced_precision(sam: Sam) -> None:
    reduced = Sam(SAM_SIZES)
    reduced.load_state_dict(sam.state_dict())
    encoding = reduced.to(torch.bfloat16).dense_positional_encoding()
    assert encoding.dtype == torch.bfloat16
    difference = encoding.float() - sam.dense_positional_encoding()
    assert difference.abs().mean() < 0.05


def test_masks_are_decoded_independently(sam: Sam) -> None:
    """Several prompts on one image give what each gives alone, at four times the grid."""
    image = torch.randn(32, 8, 8)
    prompts = torch.randn(3, 32)
    masks, iou = sam.decode(image, prompts)
    assert masks.shape == (3, 32, 32)
    assert iou.shape == (3,)
    for i in range(3):
        mask, score = sam.decode(image[None], prompts[i : i + 1])
        torch.testing.assert_close(mask[0], masks[i], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(score[0], iou[i], rtol=1e-4, atol=1e-5)


def test_no_prompt_gives_no_mask(sam: Sam) -> None:
    masks, iou = sam.decode(torch.randn(32, 8, 8), torch.zeros(0, 32))
    assert masks.shape == (0, 32, 32)
    assert iou.shape == (0,)


def test_prompts_are_the_only_sparse_embedding(sam: Sam) -> None:
    prompts = torch.randn(2, 32)
    sparse, dense = sam.embed_prompts(prompts)
    assert torch.equal(sparse, prompts[:, None])
    _, expected = sam.prompt_encoder(points=None, boxes=None, masks=None)
    assert torch.equal(dense, expected.expand(2, -1, -1, -1))


def test_half_precision_runs_the_neck_in_float32(sam: Sam) -> None:
    """Activations beyond float16's square root of the largest number survive the channel norm."""
    half = Sam(SAM_SIZES)
    half.load_state_dict(sam.state_dict())
    with torch.no_grad():
        half.image_encoder.neck[0].weight *= 1e4
    pixels = torch.randn(1, 3, 64, 64)
    expected = half.encode(pixels)
    got = half.half().encode(pixels.half())
    assert got.dtype == torch.float16
    assert torch.isfinite(got).all()
    assert (got.float() - expected).abs().mean() < 0.05


def test_training_starts_from_a_position_embedding(sam: Sam) -> None:
    encoder = sam.image_encoder
    assert float(encoder.pos_embed.std()) == pytest.approx(0.02, rel=0.1)
    assert float(encoder.blocks[0].attn.qkv.weight.std()) == pytest.approx(0.02, rel=0.1)
    assert not encoder.blocks[0].attn.qkv.bias.any()


@pytest.mark.parametrize(
    ("image", "prompts"),
    [((32, 8, 7), (1, 32)), ((2, 32, 8, 8), (1, 32)), ((32, 8, 8), (1, 31)), ((32, 8, 8), (32,))],
)
def test_wrong_shapes_are_named(sam: Sam, image: tuple, prompts: tuple) -> None:
    with pytest.raises(ModelError, match="must be"):
        sam.decode(torch.zeros(image), torch.zeros(prompts))


def test_a_wrong_input_size_is_named(sam: Sam) -> None:
    with pytest.raises(ModelError, match=r"\[B,3,64,64\], got \[1, 3, 64, 48\]"):
        sam.encode(torch.zeros(1, 3, 64, 48))
