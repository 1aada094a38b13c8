"""SAM's three modules, taken from the segment-anything package, and how LISA runs them.

`segment_anything/__init__.py` imports torchvision for its predictor, which LISA does not use and a
CPU install does not have. Its `modeling` sub-package needs torch only and imports nothing outside
itself, so it is loaded here under a private name: torchvision is never imported, and a later
`import segment_anything` by somebody else behaves as if this module did not exist.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from lisa_ros.errors import ModelError
from lisa_ros.model.sam_config import DECODER_DOWNSAMPLING, DECODER_HEADS, SamConfig


def _load_modeling() -> ModuleType:
    """Return segment-anything's `modeling` package without running the `__init__` of its parent."""
    name = "lisa_ros.model._segment_anything_modeling"
    if name in sys.modules:
        return sys.modules[name]
    parent = importlib.util.find_spec("segment_anything")
    if parent is None or not parent.submodule_search_locations:
        raise ModelError(
            "segment-anything is not installed; run: pip install segment-anything==1.0"
        )
    folder = Path(parent.submodule_search_locations[0]) / "modeling"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not folder.is_dir():
        raise ModelError(
            f"segment-anything has no modeling package at {folder}; version 1.0 is expected"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


_modeling = _load_modeling()


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder; its state dict is that of a published SAM.

    Pixel mean and standard deviation are part of preprocessing, not of this module.
    """

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.config = config
        grid = (config.grid_size, config.grid_size)
        self.image_encoder = _modeling.ImageEncoderViT(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.encoder_embed_dim,
            depth=config.encoder_depth,
            num_heads=config.encoder_num_heads,
            mlp_ratio=_exact_ratio(config.encoder_mlp_dim, config.encoder_embed_dim),
            out_chans=config.prompt_embed_dim,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=config.window_size,
            global_attn_indexes=config.encoder_global_attn_indexes,
        )
        self.prompt_encoder = _modeling.PromptEncoder(
            embed_dim=config.prompt_embed_dim,
            image_embedding_size=grid,
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_in_chans,
        )
        self.mask_decoder = _modeling.MaskDecoder(
            num_multimask_outputs=config.num_mask_tokens - 1,
            transformer=_modeling.TwoWayTransformer(
                depth=config.decoder_depth,
                embedding_dim=config.prompt_embed_dim,
                mlp_dim=config.decoder_mlp_dim,
                num_heads=DECODER_HEADS,
                attention_downsample_rate=DECODER_DOWNSAMPLING,
            ),
            transformer_dim=config.prompt_embed_dim,
            iou_head_depth=config.iou_head_depth,
            iou_head_hidden_dim=config.iou_head_hidden_dim,
        )

    def init_weights(self) -> None:
        """Initialise the encoder as a ViT: truncated normal of 0.02, zero biases.

        The package itself leaves the position embedding at zero, which suits loading weights, not
        training.
        """
        encoder = self.image_encoder
        nn.init.trunc_normal_(encoder.pos_embed, std=0.02)
        for module in encoder.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def encode(self, sam_input: Tensor) -> Tensor:
        """Return the image embedding [B,C,g,g] of a normalised, padded input [B,3,S,S].

        In float16 the neck runs in float32, whose channel norm would overflow; upstream does the
        same.
        """
        size = self.config.image_size
        if sam_input.ndim != 4 or tuple(sam_input.shape[1:]) != (3, size, size):
            raise ModelError(
                f"SAM's input must be [B,3,{size},{size}], got {list(sam_input.shape)}"
            )
        encoder = self.image_encoder
        if sam_input.dtype != torch.float16:
            embedding: Tensor = encoder(sam_input)
            return embedding
        x: Tensor = encoder.patch_embed(sam_input) + encoder.pos_embed
        for block in encoder.blocks:
            x = block(x)
        neck = {name: tensor.float() for name, tensor in encoder.neck.state_dict().items()}
        wide = x.permute(0, 3, 1, 2).float()
        embedding = torch.func.functional_call(encoder.neck, neck, wide)
        return embedding.half()

    def dense_positional_encoding(self) -> Tensor:
        """Return the positional encoding of the grid [1,C,g,g], in the dtype of its matrix.

        segment-anything computes it in float32 and fails on a matrix of reduced precision; upstream
        LISA computes all of it in the dtype of the matrix, which this follows.
        """
        matrix = self.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
        grid = self.config.grid_size
        centres = torch.arange(grid, device=matrix.device, dtype=torch.float32) + 0.5
        centres = centres.to(matrix.dtype) / grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        angles = 2 * torch.pi * ((2 * torch.stack([x, y], dim=-1) - 1) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).permute(2, 0, 1)[None]

    def decode(self, image_embedding: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Decode one mask for each prompt on one image.

        Args:
            image_embedding: [C,g,g] or [1,C,g,g].
            prompts: [S,C]; each is a mask's only sparse prompt (no padding point). S may be 0.

        Returns:
            (low_res_logits [S,4g,4g], iou_predictions [S]): token 0 of the decoder, as with
            `multimask_output=False`. The IoU head gets no gradient in LISA's training.

        """
        config = self.config
        if image_embedding.ndim == 3:
            image_embedding = image_embedding[None]
        shape = (1, config.prompt_embed_dim, config.grid_size, config.grid_size)
        if tuple(image_embedding.shape) != shape:
            raise ModelError(
                f"the image embedding must be {list(shape)}, got {list(image_embedding.shape)}"
            )
        if prompts.ndim != 2 or prompts.shape[1] != config.prompt_embed_dim:
            raise ModelError(
                f"prompts must be [S,{config.prompt_embed_dim}], got {list(prompts.shape)}"
            )
        if prompts.shape[0] == 0:
            size = config.low_res_size
            return image_embedding.new_zeros((0, size, size)), image_embedding.new_zeros((0,))
        sparse, dense = self.embed_prompts(prompts)
        masks, iou = self.mask_decoder(
            image_embeddings=image_embedding,
            image_pe=self.dense_positional_encoding(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return masks[:, 0], iou[:, 0]

    def embed_prompts(self, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Return (sparse [S,1,C], dense [S,C,g,g]): the prompts alone, and "no mask" everywhere."""
        grid = self.config.grid_size
        no_mask = self.prompt_encoder.no_mask_embed.weight
        dense = no_mask.reshape(1, -1, 1, 1).expand(prompts.shape[0], -1, grid, grid)
        return prompts[:, None, :], dense


def _exact_ratio(mlp_dim: int, embed_dim: int) -> float:
    """Return r with int(embed_dim * r) == mlp_dim: segment-anything truncates."""
    return (mlp_dim + 0.5) / embed_dim if mlp_dim % embed_dim else mlp_dim / embed_dim
