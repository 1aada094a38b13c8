"""LISA's network: LLaVA's language model, SAM, and the projection of `[SEG]` that joins them.

Source: Lai et al., "LISA: Reasoning Segmentation via Large Language Model" (CVPR 2024), section 3.
The state dict has upstream's keys, so released checkpoints load unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Cache

from lisa_ros.errors import CheckpointMismatchError, ModelError
from lisa_ros.model.clip import ClipConfig, ClipVisionTower
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.language import LisaModel
from lisa_ros.model.sam import Sam
from lisa_ros.model.sam_config import SamConfig
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX


class LisaForCausalLM(nn.Module):
    """The whole network. Every method is one step of an answer; nothing here caches or decides.

    Shapes: B images or sequences, N image tokens, T ids, L positions (T-1+N with an image), S
    `[SEG]`, C SAM channels (= out_dim), g SAM's grid, D the language model's width.
    """

    def __init__(self, config: LisaConfig, sam: SamConfig, clip: ClipConfig) -> None:
        super().__init__()
        _check_joints(config, sam, clip)
        self.config = config
        self.model = LisaModel(config, sam)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.vision_tower = ClipVisionTower(
            clip, config.mm_vision_select_layer, config.mm_vision_select_feature
        )
        self.register_load_state_dict_post_hook(_forget_vision_tower)  # type: ignore[no-untyped-call]

    @classmethod
    def from_sizes(
        cls, config: LisaConfig, sam: SamConfig, clip: ClipConfig, seed: int | None = None
    ) -> LisaForCausalLM:
        """Build a network with random weights, for training from scratch and for tests.

        With a seed the weights depend on nothing else, and the global generator is left as it was.
        """
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            network = cls(config, sam, clip)
            nn.init.normal_(network.lm_head.weight, std=config.initializer_range)
            network.sam.init_weights()
        return network

    @property
    def sam(self) -> Sam:
        """The SAM inside."""
        return self.model.visual_model

    @property
    def num_image_tokens(self) -> int:
        """How many positions one image takes: 256 for CLIP ViT-L/14 at 224 px."""
        return self.vision_tower.num_image_tokens

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return self.lm_head.weight.dtype

    def encode_clip(self, pixel_values: Tensor) -> Tensor:
        """Return image tokens [B,N,D] of CLIP's input [B,3,h,w]."""
        tokens: Tensor = self.model.mm_projector(self.vision_tower(pixel_values))
        return tokens

    def encode_sam(self, sam_input: Tensor) -> Tensor:
        """Return image embeddings [B,C,g,g] of SAM's normalised, padded input [B,3,S,S]."""
        return self.sam.encode(sam_input)

    def embed(self, input_ids: Tensor, image_tokens: Tensor | None = None) -> Tensor:
        """Embed ids, with the image in the place of its `IMAGE_TOKEN_INDEX`.

        Args:
            input_ids: int[B,T], with the image exactly once in each row when image_tokens is given.
            image_tokens: [B,N,D] from `encode_clip`, or None for ids without an image.

        Returns:
            inputs_embeds [B,T-1+N,D], or [B,T,D] without an image.

        Raises:
            ModelError: a row does not have exactly as many images as it should.

        """
        found = (input_ids == IMAGE_TOKEN_INDEX).sum(dim=1).tolist()
        expected = 0 if image_tokens is None else 1
        if any(n != expected for n in found):
            raise ModelError(f"each row of ids must have {expected} image positions, got {found}")
        if image_tokens is None:
            embeds: Tensor = self.model.embed_tokens(input_ids)
            return embeds
        if len(image_tokens) != len(input_ids):
            raise ModelError(
                f"{len(input_ids)} rows of ids need as many images, got {len(image_tokens)}"
            )
        rows = []
        for ids, image in zip(input_ids, image_tokens, strict=True):
            place = int((ids == IMAGE_TOKEN_INDEX).nonzero())
            before = self.model.embed_tokens(ids[:place])
            after = self.model.embed_tokens(ids[place + 1 :])
            rows.append(torch.cat([before, image.to(before.dtype), after]))
        return torch.stack(rows)

    def hidden_states(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool = False,
    ) -> tuple[Tensor, Cache | None]:
        """Run the language model.

        Args:
            inputs_embeds: [B,L,D].
            attention_mask: None for causal attention to everything; [B,K] with 0 for padding (K
                covers the cached positions too); or [B,1,L,K], bool (True attends) or additive,
                used as it is.
            position_ids: int[B,L]; None counts on from the cache.
            past_key_values: the cache of the positions before; it grows in place.
            use_cache: whether to return a cache.

        Returns:
            (last hidden states after the final norm [B,L,D], the cache or None).

        """
        if attention_mask is not None and attention_mask.is_floating_point():
            attention_mask = attention_mask.to(inputs_embeds.dtype)
        output = self.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
        )
        return output.last_hidden_state, output.past_key_values if use_cache else None

    def logits(self, hidden: Tensor) -> Tensor:
        """Return next-token logits [...,vocab] of hidden states [...,D]."""
        logits: Tensor = self.lm_head(hidden)
        return logits

    def seg_embeddings(self, hidden: Tensor) -> Tensor:
        """Return prompts for SAM [...,C] of the hidden states [...,D] that predict `[SEG]`."""
        prompts: Tensor = self.model.text_hidden_fcs[0](hidden)
        return prompts

    def decode_masks(
        self, image_embedding: Tensor, seg_embeddings: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return (low_res_logits [S,4g,4g], iou_predictions [S]) of S prompts [S,C] on one image.

        image_embedding is [C,g,g] or [1,C,g,g]. S may be 0. See `Sam.decode`.
        """
        return self.sam.decode(image_embedding, seg_embeddings)

    def postprocess_masks(
        self, low_res_logits: Tensor, resized_hw: tuple[int, int], original_hw: tuple[int, int]
    ) -> Tensor:
        """Return mask logits f32[S,H,W] at the original image's size; a mask is where they are > 0.

        low_res_logits: [S,4g,4g]. resized_hw: the size that the image had inside SAM's padded
        input. Both interpolations are bilinear without aligned corners, in float32, as upstream.
        """
        side = self.sam.config.image_size
        height, width = resized_hw
        if not (0 < height <= side and 0 < width <= side):
            raise ModelError(f"resized_hw {resized_hw} does not fit SAM's input of {side} px")
        if low_res_logits.shape[0] == 0:
            return low_res_logits.new_zeros((0, *original_hw), dtype=torch.float32)
        logits = low_res_logits.float()[:, None]
        logits = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
        logits = logits[..., :height, :width]
        return F.interpolate(logits, original_hw, mode="bilinear", align_corners=False)[:, 0]

    def reset_rotary(self, device: torch.device) -> None:
        """Compute the rotary frequencies, which no state dict has, in float32 on a device."""
        with torch.device(device):
            self.model.rotary_emb = type(self.model.rotary_emb)(config=self.model.config)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> LisaForCausalLM:
        """Move or cast the weights; the rotary frequencies stay exact, as rounding misplaces."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.model.rotary_emb.inv_freq.dtype != torch.float32:
            self.reset_rotary(self.device)
        return self


def seg_query_positions(ids: Sequence[int] | Tensor, seg_id: int, n_image_tokens: int) -> list[int]:
    """Return, for each `[SEG]`, the position of the hidden state that predicts it.

    LISA decodes a mask from the state one before the token, in training, validation and generation
    alike. `ids` is the whole unexpanded sequence (prompt and answer), in which one id,
    `IMAGE_TOKEN_INDEX`, stands for `n_image_tokens` positions; the answer indexes the expanded
    sequence. Also right for a `[SEG]` that ends the sequence, whose own state was never computed.

    Raises:
        ModelError: a `[SEG]` before the image or at the very start: nothing could have predicted it
        from the image.

    """
    row = ids.tolist() if isinstance(ids, Tensor) else list(ids)
    images = [i for i, token in enumerate(row) if token == IMAGE_TOKEN_INDEX]
    if len(images) > 1:
        raise ModelError(f"one image per sequence is supported, got {len(images)}")
    image, shift = (images[0], n_image_tokens - 1) if images else (-1, 0)
    segs = [i for i, token in enumerate(row) if token == seg_id]
    if segs and segs[0] <= max(image, 0):
        raise ModelError(
            f"[SEG] at position {segs[0]} comes before the image; expected the image first"
        )
    return [i - 1 + shift for i in segs]


def _check_joints(config: LisaConfig, sam: SamConfig, clip: ClipConfig) -> None:
    """Raise where the three networks do not fit together."""
    if config.out_dim != sam.prompt_embed_dim:
        raise CheckpointMismatchError(
            f"config.json's out_dim {config.out_dim} must be SAM's prompt embed dim "
            f"{sam.prompt_embed_dim}"
        )
    if config.mm_hidden_size != clip.hidden_size:
        raise CheckpointMismatchError(
            f"config.json's mm_hidden_size {config.mm_hidden_size} is not the hidden_size "
            f"{clip.hidden_size} of the vision tower {config.vision_tower!r}: this is another CLIP "
            "than the one that these weights were trained with"
        )


def _forget_vision_tower(module: nn.Module, incompatible_keys: Any) -> None:
    """Take the vision tower, which no LISA state dict has, off the list of missing keys."""
    missing = incompatible_keys.missing_keys
    missing[:] = [key for key in missing if not key.startswith("vision_tower.")]
