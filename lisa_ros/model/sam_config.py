"""SAM's sizes, read off the shapes of its tensors.

A LISA checkpoint has no SAM configuration (upstream hard-codes ViT-H), but nearly every size is
visible in a tensor's shape. Not visible, and constant in every published SAM: the 8 heads of the
mask decoder, its attention downsampling of 2, the three-layer hypernetworks, and the 4x upscaling.

Source: Kirillov et al., "Segment Anything" (2023), appendix A; segment-anything 1.0's module names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from lisa_ros.errors import CheckpointMismatchError

Shapes = Mapping[str, tuple[int, ...]]

DECODER_HEADS = 8
DECODER_DOWNSAMPLING = 2


@dataclass(frozen=True)
class SamConfig:
    """Every size of a SAM image encoder, prompt encoder and mask decoder.

    image_size: side of the square padded input, px. prompt_embed_dim: channels of the image
    embedding and of every prompt. encoder_global_attn_indexes: the blocks that attend over the
    whole grid, not in windows.
    """

    image_size: int
    patch_size: int
    encoder_embed_dim: int
    encoder_depth: int
    encoder_num_heads: int
    encoder_mlp_dim: int
    encoder_global_attn_indexes: tuple[int, ...]
    window_size: int
    prompt_embed_dim: int
    mask_in_chans: int = 16
    decoder_depth: int = 2
    decoder_mlp_dim: int = 2048
    num_mask_tokens: int = 4
    iou_head_depth: int = 3
    iou_head_hidden_dim: int = 256

    def __post_init__(self) -> None:
        """Refuse sizes that no SAM can have, before a module fails on a bare assertion."""
        step = DECODER_HEADS * DECODER_DOWNSAMPLING
        if self.prompt_embed_dim % step:
            raise CheckpointMismatchError(
                f"SAM's prompt_embed_dim is {self.prompt_embed_dim}; the mask decoder's "
                f"{DECODER_HEADS} heads need a multiple of {step}"
            )
        if self.encoder_embed_dim % self.encoder_num_heads or self.image_size % self.patch_size:
            raise CheckpointMismatchError(
                f"SAM's encoder_embed_dim {self.encoder_embed_dim} / heads "
                f"{self.encoder_num_heads} and image_size {self.image_size} / patch_size "
                f"{self.patch_size} must be whole numbers"
            )

    @property
    def grid_size(self) -> int:
        """Side of the image embedding, in patches."""
        return self.image_size // self.patch_size

    @property
    def low_res_size(self) -> int:
        """Side of the mask decoder's logits, px."""
        return 4 * self.grid_size

    @classmethod
    def from_state_dict(cls, shapes: Shapes) -> SamConfig:
        """Derive every size from tensor shapes, keyed `image_encoder...` and so on.

        Raises:
            CheckpointMismatchError: a tensor is missing, or two of them contradict each other;
            names the keys.

        """
        reader = _Shapes(shapes)
        patch_key = "image_encoder.patch_embed.proj.weight"
        embed_dim, _, patch, patch_w = reader.get(patch_key, 4)
        pos_key = "image_encoder.pos_embed"
        _, grid, grid_w, pos_dim = reader.get(pos_key, 4)
        reader.same("a square patch", (patch_key, patch), (patch_key, patch_w))
        reader.same("a square grid", (pos_key, grid), (pos_key, grid_w))
        reader.same("the encoder's embed dim", (patch_key, embed_dim), (pos_key, pos_dim))
        depth = reader.numbered("image_encoder.blocks.{}.attn.qkv.weight")
        heads, window, global_indexes = _attention_layout(reader, depth, embed_dim, grid)
        prompt_dim = _prompt_embed_dim(reader)
        iou_depth = reader.numbered("mask_decoder.iou_prediction_head.layers.{}.weight")
        return cls(
            image_size=grid * patch,
            patch_size=patch,
            encoder_embed_dim=embed_dim,
            encoder_depth=depth,
            encoder_num_heads=heads,
            encoder_mlp_dim=reader.get("image_encoder.blocks.0.mlp.lin1.weight", 2)[0],
            encoder_global_attn_indexes=global_indexes,
            window_size=window,
            prompt_embed_dim=prompt_dim,
            mask_in_chans=reader.get("prompt_encoder.mask_downscaling.3.weight", 4)[0],
            decoder_depth=reader.numbered(
                "mask_decoder.transformer.layers.{}.self_attn.q_proj.weight"
            ),
            decoder_mlp_dim=reader.get("mask_decoder.transformer.layers.0.mlp.lin1.weight", 2)[0],
            num_mask_tokens=reader.get("mask_decoder.mask_tokens.weight", 2)[0],
            iou_head_depth=iou_depth,
            iou_head_hidden_dim=reader.get("mask_decoder.iou_prediction_head.layers.0.weight", 2)[
                0
            ],
        )


@dataclass(frozen=True)
class _Shapes:
    """Shapes by key, with errors that name the key."""

    shapes: Shapes

    def get(self, key: str, rank: int) -> tuple[int, ...]:
        shape = self.shapes.get(key)
        if shape is None:
            raise CheckpointMismatchError(
                f"the checkpoint has no {key!r}: not a SAM, or an incomplete one"
            )
        if len(shape) != rank or 0 in shape:
            raise CheckpointMismatchError(
                f"{key}: expected {rank} dimensions, none of them 0, got shape {tuple(shape)}"
            )
        return tuple(shape)

    def numbered(self, pattern: str) -> int:
        """Return how many consecutive numbers, from 0, the pattern has keys for."""
        number = next(i for i in count() if pattern.format(i) not in self.shapes)
        if number == 0:
            self.get(pattern.format(0), 2)
        return number

    def same(self, what: str, *found: tuple[str, int]) -> int:
        """Return the one size that all keys agree on."""
        if len({size for _, size in found}) > 1:
            listed = ", ".join(f"{key} {self.shapes[key]} says {size}" for key, size in found)
            raise CheckpointMismatchError(
                f"SAM's shapes contradict each other about {what}: {listed}"
            )
        return found[0][1]


def _prompt_embed_dim(reader: _Shapes) -> int:
    """Return the channels of the image embedding, on which all three modules must agree."""
    neck = "image_encoder.neck.2.weight"
    matrix = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    no_mask = "prompt_encoder.no_mask_embed.weight"
    tokens = "mask_decoder.mask_tokens.weight"
    return reader.same(
        "the prompt embed dim",
        (neck, reader.get(neck, 4)[0]),
        (matrix, 2 * reader.get(matrix, 2)[1]),
        (no_mask, reader.get(no_mask, 2)[1]),
        (tokens, reader.get(tokens, 2)[1]),
    )


def _attention_layout(
    reader: _Shapes, depth: int, dim: int, grid: int
) -> tuple[int, int, tuple[int, ...]]:
    """Return (heads, window size, indexes of the global blocks) from the relative position tables.

    A block that attends over n x n positions has tables of 2n-1 rows of one head's width. Where the
    window is as large as the grid the two kinds of block do the same, and all of them are called
    global.
    """
    keys = [f"image_encoder.blocks.{i}.attn.rel_pos_h" for i in range(depth)]
    tables = [reader.get(key, 2) for key in keys]
    head_dim = reader.same(
        "the width of an attention head", *[(k, t[1]) for k, t in zip(keys, tables, strict=True)]
    )
    if dim % head_dim:
        raise CheckpointMismatchError(
            f"SAM's shapes contradict each other: {keys[0]} {tables[0]} has heads of {head_dim}, "
            f"which does not divide the encoder's embed dim {dim}"
        )
    for key, table in zip(keys, tables, strict=True):
        twin = key.removesuffix("h") + "w"
        reader.same("the attention window", (key, table[0]), (twin, reader.get(twin, 2)[0]))
    rows_of_grid = 2 * grid - 1
    global_indexes = tuple(i for i, table in enumerate(tables) if table[0] == rows_of_grid)
    windowed = [(k, t[0]) for k, t in zip(keys, tables, strict=True) if t[0] != rows_of_grid]
    if not windowed:
        return dim // head_dim, grid, global_indexes
    rows = reader.same(f"the attention window (the whole grid would be {rows_of_grid})", *windowed)
    if rows % 2 == 0:
        raise CheckpointMismatchError(f"{windowed[0][0]}: a window of n has 2n-1 rows, got {rows}")
    return dim // head_dim, (rows + 1) // 2, global_indexes
