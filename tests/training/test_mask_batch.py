"""The batched decoder against SAM's own, image by image."""

from __future__ import annotations

import torch
from random_lisa import random_lisa

from training.mask_batch import decode_batch


def test_equals_decoding_image_by_image() -> None:
    sam = random_lisa(0).model.sam
    torch.manual_seed(0)
    grid, channels = sam.config.grid_size, sam.config.prompt_embed_dim
    images = torch.randn(3, channels, grid, grid)
    prompts = torch.randn(5, channels)
    image_of = torch.tensor([0, 0, 2, 2, 2])
    together = decode_batch(sam, images, image_of, prompts[:, None])
    for image in (0, 2):
        alone, _ = sam.decode(images[image], prompts[image_of == image])
        torch.testing.assert_close(together[image_of == image], alone, atol=1e-5, rtol=1e-4)


def test_no_prompts_give_no_masks() -> None:
    sam = random_lisa(0).model.sam
    channels, side = sam.config.prompt_embed_dim, sam.config.low_res_size
    images = torch.randn(2, channels, sam.config.grid_size, sam.config.grid_size)
    nothing = decode_batch(sam, images, torch.zeros(0, dtype=torch.long), images[:0, :1, :, 0])
    assert nothing.shape == (0, side, side)


def test_gradients_reach_each_image_from_its_own_prompts_only() -> None:
    sam = random_lisa(0).model.sam
    grid, channels = sam.config.grid_size, sam.config.prompt_embed_dim
    images = torch.randn(3, channels, grid, grid, requires_grad=True)
    decode_batch(sam, images, torch.tensor([0, 2]), torch.randn(2, 1, channels)).sum().backward()
    assert images.grad is not None
    touched = images.grad.abs().sum(dim=(1, 2, 3)) > 0
    assert touched.tolist() == [True, False, True]
