"""The video model's source with tiny random weights: shapes, ids, memory, loading."""

import json

import numpy as np
import pytest
import torch
from moving_shapes import BLUE, Disc, frame_of
from transformers import Sam2VideoConfig, Sam2VideoInferenceSession, Sam2VideoModel

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
)
from lisa_ros.tracking.sam2 import Sam2Source
from lisa_ros.tracking.tracker import Seed
from lisa_ros.tracking.video_models import load_video_model

SIDE, WIDTH = 64, 128
EMBEDDING = np.zeros(3, np.float32)


def tiny_config():
    # fpn_hidden_size must be a multiple of 64 and larger: transformers' memory has 64 channels.
    grid = SIDE // 16
    return Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "image_size": [SIDE, SIDE],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 1, 1],
                "window_size_per_stage": [4, 4, 2, 2],
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [2, 2],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[4 * grid] * 2, [2 * grid] * 2, [grid] * 2],
            "fpn_hidden_size": WIDTH,
        },
        prompt_encoder_config={
            "hidden_size": WIDTH,
            "image_size": SIDE,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": WIDTH,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
        image_size=SIDE,
        num_maskmem=3,
        max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[grid, grid],
        memory_encoder_hidden_size=WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Sam2VideoModel(tiny_config()).eval()
    # Random weights hold every object for hidden; this one sees them all.
    torch.nn.init.constant_(model.mask_decoder.pred_obj_score_head.proj_out.bias, 5.0)
    return model


@pytest.fixture
def source(model):
    return Sam2Source(model, Sam2VideoInferenceSession)


def discs(step):
    return [Disc(40 + step, 40), Disc(90 - step, 50, colour=BLUE)]


def start(source):
    seeds = [Seed(i, disc.mask, EMBEDDING) for i, disc in zip((7, 3), discs(0), strict=True)]
    source.start(frame_of(discs(0)), seeds)


def test_every_target_has_a_mask_of_the_images_size(source):
    start(source)
    for step in range(1, 4):
        proposals = source.propose(frame_of(discs(step), 0.1 * step))
        assert list(proposals) == [7, 3]
        for (sighting,) in proposals.values():
            assert sighting.mask.shape == (96, 128)
            assert sighting.mask.dtype == np.bool_
            assert 0 <= sighting.score <= 1


def test_what_the_model_holds_for_hidden_is_an_empty_mask(model, source):
    bias = model.mask_decoder.pred_obj_score_head.proj_out.bias
    start(source)
    try:
        torch.nn.init.constant_(bias, -5.0)
        proposals = source.propose(frame_of(discs(1), 0.1))
    finally:
        torch.nn.init.constant_(bias, 5.0)
    assert not any(sighting.mask.any() for (sighting,) in proposals.values())


def test_the_memory_is_bounded_and_forgetting_changes_nothing(model, source):
    start(source)
    unbounded = Sam2Source(model, Sam2VideoInferenceSession)
    unbounded._forget = lambda: None
    start(unbounded)
    for step in range(1, 10):
        frame = frame_of(discs(step), 0.1 * step)
        ours, theirs = source.propose(frame), unbounded.propose(frame)
        for target_id in ours:
            np.testing.assert_array_equal(ours[target_id][0].mask, theirs[target_id][0].mask)
    session = source._session
    assert len(session.processed_frames) == 0
    for place, outputs in session.output_dict_per_obj.items():
        assert len(outputs["non_cond_frame_outputs"]) == 4
        assert len(outputs["cond_frame_outputs"]) == 1
        assert len(session.frames_tracked_per_obj[place]) == 4


def test_a_new_start_forgets_all(source):
    start(source)
    first = source.propose(frame_of(discs(1), 0.1))
    start(source)
    again = source.propose(frame_of(discs(1), 0.1))
    for target_id in first:
        np.testing.assert_array_equal(first[target_id][0].mask, again[target_id][0].mask)


def test_the_seed_is_squashed_as_the_image_and_never_vanishes(source):
    disc = Disc(64, 48, radius=20)
    resized = source._resized(disc.mask)[0, 0].numpy() > 0
    assert resized.shape == (SIDE, SIDE)
    rows, columns = np.nonzero(resized)
    assert (rows.mean(), columns.mean()) == pytest.approx((32, 32), abs=0.6)
    speck = np.zeros((960, 1280), bool)
    speck[500, 640] = True
    assert source._resized(speck).sum() >= 1


def test_loading(model, tmp_path):
    model.save_pretrained(tmp_path / "tiny")
    loaded, session = load_video_model(tmp_path / "tiny")
    assert session is Sam2VideoInferenceSession
    source = Sam2Source(loaded, session)
    start(source)
    assert set(source.propose(frame_of(discs(1), 0.1))) == {7, 3}


def test_what_cannot_be_loaded_is_named(model, tmp_path):
    with pytest.raises(CheckpointNotFoundError):
        load_video_model(tmp_path / "nowhere")
    folder = tmp_path / "tiny"
    model.save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(CheckpointCorruptError, match="cannot be loaded"):
        load_video_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(CheckpointMismatchError, match="sam2_video, edgetam_video"):
        load_video_model(folder)


def test_a_checkpoint_without_some_weights_is_refused(model, tmp_path):
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("memory_encoder")}
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(CheckpointMismatchError, match="memory_encoder"):
        load_video_model(tmp_path)
