"""The whole network: keys, image among the ids, attention, masks, the state that predicts [SEG]."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_lisa import CLIP_SIZES, LISA_SIZES, SAM_SIZES, random_network

from lisa_ros.errors import CheckpointMismatchError, ModelError
from lisa_ros.model.lisa import LisaForCausalLM, seg_query_positions
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX

N_IMAGE = 4


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def prompt(model: LisaForCausalLM, ids: list[list[int]]) -> torch.Tensor:
    pixels = torch.linspace(-1, 1, 3 * 28 * 28).reshape(1, 3, 28, 28).repeat(len(ids), 1, 1, 1)
    return model.embed(torch.tensor(ids), model.encode_clip(pixels))


IDS = [1, 5, IMAGE_TOKEN_INDEX, 7, 9, 11, 13]


def test_state_dict_has_upstreams_keys(tiny_model: LisaForCausalLM) -> None:
    keys = set(tiny_model.state_dict())
    assert {
        "model.embed_tokens.weight",
        "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.post_attention_layernorm.weight",
        "model.norm.weight",
        "model.mm_projector.weight",
        "model.mm_projector.bias",
        "model.text_hidden_fcs.0.0.weight",
        "model.text_hidden_fcs.0.2.bias",
        "model.visual_model.image_encoder.pos_embed",
        "model.visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "model.visual_model.mask_decoder.iou_prediction_head.layers.2.bias",
        "lm_head.weight",
    } <= keys
    assert not [k for k in keys if "vision_tower" in k or "inv_freq" in k or "pixel_" in k]


def test_state_dict_loads_strictly(tiny_model: LisaForCausalLM) -> None:
    other = random_network(seed=1)
    assert not torch.equal(other.lm_head.weight, tiny_model.lm_head.weight)
    result = other.load_state_dict(tiny_model.state_dict())
    assert not result.missing_keys
    assert not result.unexpected_keys
    assert torch.equal(other.lm_head.weight, tiny_model.lm_head.weight)
    incomplete = tiny_model.state_dict()
    del incomplete["lm_head.weight"]
    with pytest.raises(RuntimeError, match=r"lm_head\.weight"):
        other.load_state_dict(incomplete)


def test_seed_decides_the_weights_and_nothing_else() -> None:
    before = torch.random.get_rng_state()
    one, same = random_network(seed=4), random_network(seed=4)
    assert torch.equal(before, torch.random.get_rng_state())
    pairs = zip(one.parameters(), same.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_casting_takes_the_vision_tower_along_but_not_the_rotary_frequencies() -> None:
    model = random_network().to(torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.vision_tower.parameters()} == {torch.bfloat16}
    exact = random_network().model.rotary_emb.inv_freq
    assert torch.equal(model.model.rotary_emb.inv_freq, exact)


def test_image_takes_the_place_of_its_id(tiny_model: LisaForCausalLM) -> None:
    pixels = torch.randn(2, 3, 28, 28)
    image = tiny_model.encode_clip(pixels)
    assert image.shape == (2, N_IMAGE, LISA_SIZES.hidden_size)
    assert tiny_model.num_image_tokens == N_IMAGE
    ids = torch.tensor([[1, 5, IMAGE_TOKEN_INDEX, 7], [1, IMAGE_TOKEN_INDEX, 7, 9]])
    embeds = tiny_model.embed(ids, image)
    assert embeds.shape == (2, 3 + N_IMAGE, LISA_SIZES.hidden_size)
    table = tiny_model.model.embed_tokens.weight
    assert torch.equal(embeds[0, :2], table[[1, 5]])
    assert torch.equal(embeds[0, 2:6], image[0])
    assert torch.equal(embeds[0, 6:], table[[7]])
    assert torch.equal(embeds[1, 1:5], image[1])
    assert torch.equal(tiny_model.embed(torch.tensor([[1, 5]]))[0], table[[1, 5]])


@pytest.mark.parametrize(
    ("ids", "with_image"),
    [
        ([[1, 5]], True),
        ([[1, IMAGE_TOKEN_INDEX, IMAGE_TOKEN_INDEX]], True),
        ([[1, IMAGE_TOKEN_INDEX]], False),
        ([[1, IMAGE_TOKEN_INDEX], [1, IMAGE_TOKEN_INDEX]], True),
    ],
)
def test_ids_must_have_one_image_each(
    tiny_model: LisaForCausalLM, ids: list[list[int]], with_image: bool
) -> None:
    image = torch.zeros(1, N_IMAGE, LISA_SIZES.hidden_size) if with_image else None
    with pytest.raises(ModelError, match="row"):
        tiny_model.embed(torch.tensor(ids), image)


def test_cache_continues_the_sequence(tiny_model: LisaForCausalLM) -> None:
    embeds = prompt(tiny_model, [IDS])
    whole, no_cache = tiny_model.hidden_states(embeds)
    assert no_cache is None
    first, cache = tiny_model.hidden_states(embeds[:, :6], use_cache=True)
    rest, _ = tiny_model.hidden_states(embeds[:, 6:], past_key_values=cache, use_cache=True)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, rtol=0, atol=1e-5)


def test_padding_on_the_right_changes_nothing(tiny_model: LisaForCausalLM) -> None:
    embeds = prompt(tiny_model, [IDS])
    whole, _ = tiny_model.hidden_states(embeds)
    padded = torch.cat([embeds, torch.randn(1, 3, LISA_SIZES.hidden_size)], dim=1)
    mask = torch.tensor([[1] * 10 + [0] * 3])
    got, _ = tiny_model.hidden_states(padded, attention_mask=mask)
    torch.testing.assert_close(got[:, :10], whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("additive", [False, True])
def test_questions_packed_behind_one_prefix(tiny_model: LisaForCausalLM, additive: bool) -> None:
    """Two questions share the prefix; a 4D mask and positions make them blind to each other."""
    prefix, one, two = IDS[:4], [21, 22, 23], [31, 32]
    packed = prompt(tiny_model, [prefix + one + two])
    n = len(prefix) - 1 + N_IMAGE
    length = n + len(one) + len(two)
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    mask[n + len(one) :, n : n + len(one)] = False
    positions = torch.tensor([[*range(n + len(one)), *range(n, n + len(two))]])
    four = mask[None, None]
    if additive:
        four = torch.zeros(four.shape).masked_fill(~four, torch.finfo(torch.float32).min)
    got, _ = tiny_model.hidden_states(packed, attention_mask=four, position_ids=positions)
    alone_one, _ = tiny_model.hidden_states(prompt(tiny_model, [prefix + one]))
    alone_two, _ = tiny_model.hidden_states(prompt(tiny_model, [prefix + two]))
    torch.testing.assert_close(got[:, : n + len(one)], alone_one, rtol=0, atol=1e-5)
    torch.testing.assert_close(got[:, n + len(one) :], alone_two[:, n:], rtol=0, atol=1e-5)


def test_projection_of_seg(tiny_model: LisaForCausalLM) -> None:
    hidden = torch.randn(2, 5, LISA_SIZES.hidden_size)
    first, _, second, _ = tiny_model.model.text_hidden_fcs[0]
    expected = second(torch.relu(first(hidden)))
    assert torch.equal(tiny_model.seg_embeddings(hidden), expected)
    assert torch.equal(tiny_model.train().seg_embeddings(hidden), expected)  # Dropout(0)
    tiny_model.eval()
    assert tiny_model.logits(hidden).shape == (2, 5, LISA_SIZES.vocab_size)


def test_gradients_of_a_mask_and_of_text_reach_every_part(tiny_model: LisaForCausalLM) -> None:
    """Nothing is detached or frozen here: what a trainer leaves alone, it says itself.

    Upstream's leaves CLIP, mm_projector, SAM's encoder and its prompt encoder alone.
    """
    model = random_network()
    with torch.enable_grad():
        hidden, _ = model.hidden_states(prompt(model, [IDS]))
        image = model.encode_sam(torch.randn(1, 3, 64, 64))[0]
        masks, _ = model.decode_masks(image, model.seg_embeddings(hidden[0, -1:]))
        (masks.square().mean() + model.logits(hidden).square().mean()).backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    # Not on the way to a mask: its score, points and boxes, and CLIP after the layer that is used.
    off_the_way = (
        "mask_decoder.iou_prediction_head",
        "prompt_encoder.point_embeddings",
        "prompt_encoder.not_a_point_embed",
        "prompt_encoder.mask_downscaling",
        "encoder.layers.2",
        "post_layernorm",
    )
    assert all(any(part in name for part in off_the_way) for name in without), without
    assert all(any(part in name for name in without) for part in off_the_way)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), value=st.floats(-5, 5, allow_nan=False))
def test_a_constant_mask_stays_constant(height: int, width: int, value: float) -> None:
    scale = 64 / max(height, width)
    resized = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
    low_res = torch.full((2, 32, 32), value)
    logits = TINY.postprocess_masks(low_res, resized, (height, width))
    assert logits.shape == (2, height, width)
    torch.testing.assert_close(logits, torch.full_like(logits, value))


TINY = random_network()


def test_padding_is_cropped_before_resizing() -> None:
    """The left half of the padded input is the image: its edge lands on the image's edge."""
    low_res = torch.full((1, 32, 32), -1.0)
    low_res[:, :, :15] = 1.0
    logits = TINY.postprocess_masks(low_res.to(torch.bfloat16), (64, 32), (100, 50))
    assert logits.dtype == torch.float32
    columns = (logits[0] > 0).float().mean(dim=0)
    assert columns[:46].eq(1).all()
    assert columns[-2:].eq(0).all()
    assert TINY.postprocess_masks(low_res[:0], (64, 32), (100, 50)).shape == (0, 100, 50)
    with pytest.raises(ModelError, match="does not fit"):
        TINY.postprocess_masks(low_res, (65, 32), (100, 50))


@given(
    before=st.lists(st.integers(0, 50), min_size=1, max_size=10),
    after=st.lists(st.sampled_from([7, 8, 99]), max_size=12),
    n_image=st.integers(1, 600),
)
def test_query_is_one_before_seg_in_the_expanded_sequence(
    before: list[int], after: list[int], n_image: int
) -> None:
    ids = [*before, IMAGE_TOKEN_INDEX, *after]
    expanded: list[int] = []
    for token in ids:
        expanded += [IMAGE_TOKEN_INDEX] * n_image if token == IMAGE_TOKEN_INDEX else [token]
    expected = [i - 1 for i, token in enumerate(expanded) if token == 99]
    assert seg_query_positions(ids, 99, n_image) == expected
    assert seg_query_positions(torch.tensor(ids), 99, n_image) == expected


def test_query_as_upstream_counts_it() -> None:
    ids = [1, 5, IMAGE_TOKEN_INDEX, 7, 99]
    assert seg_query_positions(ids, 99, 256) == [4 - 1 + 255]
    assert seg_query_positions([1, 5, 99], 99, 256) == [1]


@pytest.mark.parametrize(
    "ids", [[99, IMAGE_TOKEN_INDEX], [1, 99, IMAGE_TOKEN_INDEX], [99, 1], [-200, -200, 99]]
)
def test_a_seg_that_nothing_predicts(ids: list[int]) -> None:
    with pytest.raises(ModelError):
        seg_query_positions(ids, 99, 4)


def test_parts_must_fit_together() -> None:
    wrong_out = dataclasses.replace(LISA_SIZES, out_dim=48)
    with pytest.raises(CheckpointMismatchError, match="out_dim 48"):
        LisaForCausalLM.from_sizes(wrong_out, SAM_SIZES, CLIP_SIZES)
    wrong_clip = dataclasses.replace(CLIP_SIZES, hidden_size=32)
    with pytest.raises(CheckpointMismatchError, match="mm_hidden_size 24"):
        LisaForCausalLM.from_sizes(LISA_SIZES, SAM_SIZES, wrong_clip)
