"""SAM's sizes come from the shapes of its tensors."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from random_lisa import SAM_SIZES

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model.sam import Sam
from lisa_ros.model.sam_config import SamConfig

ENCODER = "image_encoder."
GAUSSIAN = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def published_shapes(dim: int, depth: int, heads: int, whole: tuple[int, ...]) -> dict:
    """Shapes of the published SAMs (1024 px, patches of 16, windows of 14), written out by hand."""
    shapes: dict[str, tuple[int, ...]] = {
        ENCODER + "pos_embed": (1, 64, 64, dim),
        ENCODER + "patch_embed.proj.weight": (dim, 3, 16, 16),
        ENCODER + "neck.2.weight": (256, 256, 3, 3),
        GAUSSIAN: (2, 128),
        "prompt_encoder.no_mask_embed.weight": (1, 256),
        "prompt_encoder.mask_downscaling.3.weight": (16, 4, 2, 2),
        "mask_decoder.mask_tokens.weight": (4, 256),
        "mask_decoder.transformer.layers.0.self_attn.q_proj.weight": (256, 256),
        "mask_decoder.transformer.layers.1.self_attn.q_proj.weight": (256, 256),
        "mask_decoder.transformer.layers.0.mlp.lin1.weight": (2048, 256),
        "mask_decoder.iou_prediction_head.layers.0.weight": (256, 256),
        "mask_decoder.iou_prediction_head.layers.1.weight": (256, 256),
        "mask_decoder.iou_prediction_head.layers.2.weight": (4, 256),
    }
    for i in range(depth):
        rows = 127 if i in whole else 27
        shapes[f"{ENCODER}blocks.{i}.attn.qkv.weight"] = (3 * dim, dim)
        shapes[f"{ENCODER}blocks.{i}.attn.rel_pos_h"] = (rows, dim // heads)
        shapes[f"{ENCODER}blocks.{i}.attn.rel_pos_w"] = (rows, dim // heads)
        shapes[f"{ENCODER}blocks.{i}.mlp.lin1.weight"] = (4 * dim, dim)
    return shapes


PUBLISHED = {
    "vit_b": (768, 12, 12, (2, 5, 8, 11), 91),
    "vit_l": (1024, 24, 16, (5, 11, 17, 23), 308),
    "vit_h": (1280, 32, 16, (7, 15, 23, 31), 636),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name: str) -> None:
    """The encoder of the derived sizes has the published number of parameters (in millions)."""
    dim, depth, heads, whole, millions = PUBLISHED[name]
    config = SamConfig.from_state_dict(published_shapes(dim, depth, heads, whole))
    assert config == SamConfig(
        image_size=1024,
        patch_size=16,
        encoder_embed_dim=dim,
        encoder_depth=depth,
        encoder_num_heads=heads,
        encoder_mlp_dim=4 * dim,
        encoder_global_attn_indexes=whole,
        window_size=14,
        prompt_embed_dim=256,
        mask_in_chans=16,
        decoder_depth=2,
        decoder_mlp_dim=2048,
        num_mask_tokens=4,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    with torch.device("meta"):
        encoder = Sam(config).image_encoder
    n_parameters = sum(p.numel() for p in encoder.parameters())
    assert n_parameters / 1e6 == pytest.approx(millions, abs=2.5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image_size": 256, "prompt_embed_dim": 128, "window_size": 7, "iou_head_depth": 2},
        {"encoder_mlp_dim": 41, "num_mask_tokens": 1, "decoder_depth": 1},
        {"encoder_global_attn_indexes": (0, 1, 2), "window_size": 8},
        {"window_size": 14},
    ],
)
def test_sizes_survive_the_way_through_a_state_dict(changes: dict) -> None:
    config = dataclasses.replace(SAM_SIZES, **changes)
    with torch.device("meta"):
        shapes = {key: tuple(t.shape) for key, t in Sam(config).state_dict().items()}
    assert SamConfig.from_state_dict(shapes) == config


def test_a_window_as_large_as_the_grid_is_global() -> None:
    config = dataclasses.replace(SAM_SIZES, window_size=SAM_SIZES.grid_size)
    with torch.device("meta"):
        shapes = {key: tuple(t.shape) for key, t in Sam(config).state_dict().items()}
    derived = SamConfig.from_state_dict(shapes)
    assert derived.encoder_global_attn_indexes == (0, 1, 2)
    windowed, whole = Sam(config).eval(), Sam(derived).eval()
    whole.load_state_dict(windowed.state_dict())
    pixels = torch.randn(1, 3, config.image_size, config.image_size)
    torch.testing.assert_close(windowed.encode(pixels), whole.encode(pixels))


@pytest.mark.parametrize(
    ("key", "shape", "also_named"),
    [
        (ENCODER + "pos_embed", (1, 64, 63, 768), None),
        (ENCODER + "pos_embed", (1, 64, 64, 512), ENCODER + "patch_embed.proj.weight"),
        (ENCODER + "patch_embed.proj.weight", (768, 3, 16, 8), None),
        (ENCODER + "blocks.3.attn.rel_pos_w", (29, 64), ENCODER + "blocks.3.attn.rel_pos_h"),
        (ENCODER + "blocks.3.attn.rel_pos_h", (27, 32), ENCODER + "blocks.0.attn.rel_pos_h"),
        (ENCODER + "neck.2.weight", (128, 128, 3, 3), GAUSSIAN),
        (GAUSSIAN, (2, 64), "mask_decoder.mask_tokens.weight"),
        ("mask_decoder.mask_tokens.weight", (4, 256, 1), None),
        (ENCODER + "blocks.0.attn.qkv.weight", None, None),
        ("mask_decoder.iou_prediction_head.layers.0.weight", None, None),
        (GAUSSIAN, None, None),
    ],
)
def test_contradictions_name_the_keys(
    key: str, shape: tuple | None, also_named: str | None
) -> None:
    shapes = published_shapes(768, 12, 12, (2, 5, 8, 11))
    if shape is None:
        del shapes[key]
    else:
        shapes[key] = shape
    with pytest.raises(CheckpointMismatchError) as error:
        SamConfig.from_state_dict(shapes)
    assert key in str(error.value)
    assert also_named is None or also_named in str(error.value)


def test_two_windows_contradict() -> None:
    shapes = published_shapes(768, 12, 12, (2, 5, 8, 11))
    for axis in "hw":
        shapes[f"{ENCODER}blocks.3.attn.rel_pos_{axis}"] = (25, 64)
    with pytest.raises(CheckpointMismatchError, match=r"blocks\.3\.attn\.rel_pos_h"):
        SamConfig.from_state_dict(shapes)


def test_heads_that_do_not_divide() -> None:
    shapes = published_shapes(768, 12, 12, (2, 5, 8, 11))
    for i in range(12):
        for axis in "hw":
            rows = shapes[f"{ENCODER}blocks.{i}.attn.rel_pos_{axis}"][0]
            shapes[f"{ENCODER}blocks.{i}.attn.rel_pos_{axis}"] = (rows, 50)
    with pytest.raises(CheckpointMismatchError, match="does not divide"):
        SamConfig.from_state_dict(shapes)


def test_a_prompt_dim_that_the_decoder_cannot_split() -> None:
    with pytest.raises(CheckpointMismatchError, match="multiple of 16"):
        dataclasses.replace(SAM_SIZES, prompt_embed_dim=40)
