"""Masks from a video model of transformers that is seeded with the answer's: SAM 2 or EdgeTAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.types import BoolArray, RgbdFrame, UInt8Array

# ImageNet's, of RGB in 0..1: what both families were trained with.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Sam2Source:
    """A `MaskSource` with the video model's own memory of what it saw.

    Costs one encoding by its image encoder a frame and one memory attention and mask decoding for
    each target. The model may find a target again after an occlusion; what the gates do not believe
    stays in its memory all the same, until a new answer starts it afresh.
    """

    def __init__(self, model: Any, new_session: Any) -> None:
        """Use a loaded video model and the class of its sessions; see `load_video_model`."""
        self._model = model
        self._new_session = new_session
        side = model.config.image_size
        self._side = int(side if isinstance(side, int) else side[0])
        self._session: Any = None
        self._ids: list[int] = []
        self._index = 0

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """As `MaskSource.start`; encodes the frame and the masks."""
        device = self._model.device
        self._session = self._new_session(
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=self._model.dtype,
        )
        self._ids = [seed.target_id for seed in seeds]
        self._index = 0
        for seed in seeds:
            place = self._session.obj_id_to_idx(seed.target_id)
            self._session.add_mask_inputs(place, 0, self._resized(seed.mask))
        self._session.obj_with_new_inputs = list(self._ids)
        self._next(frame.image)

    def propose(self, frame: RgbdFrame) -> dict[int, list[Sighting]]:
        """As `MaskSource.propose`; one mask for each target, empty where the model sees none."""
        low_res = self._next(frame.image)
        size = frame.image.shape[:2]
        logits = interpolate(low_res.float(), size=size, mode="bilinear", align_corners=False)[:, 0]
        masks = (logits > 0).cpu().numpy()
        inner = (logits > 1).sum(dim=(1, 2)).double()
        outer = (logits > -1).sum(dim=(1, 2)).double()
        scores = (inner / outer.clamp(min=1)).tolist()
        return {
            target_id: [Sighting(mask, score)]
            for target_id, mask, score in zip(self._ids, masks, scores, strict=True)
        }

    def settle(self, found: Mapping[int, Sighting | Lost]) -> None:
        """As `MaskSource.settle`; the model keeps its own counsel."""

    @torch.inference_mode()
    def _next(self, image: UInt8Array) -> torch.Tensor:
        """Show the model a frame; return its mask logits [S,1,h,w], of the squashed image."""
        pixels = self._pixels(image).to(self._model.device, self._model.dtype)
        output = self._model(
            inference_session=self._session, frame_idx=self._index, frame=pixels[None]
        )
        self._forget()
        self._index += 1
        logits: torch.Tensor = output.pred_masks
        return logits

    def _forget(self) -> None:
        """Drop what the model will not look at again; transformers keeps every frame of a video."""
        config = self._model.config
        reach = max(config.num_maskmem, config.max_object_pointers_in_encoder)
        self._session.processed_frames.clear()
        for place, outputs in self._session.output_dict_per_obj.items():
            tracked = self._session.frames_tracked_per_obj[place]
            for frames in (outputs["non_cond_frame_outputs"], tracked):
                for index in [i for i in frames if i <= self._index - reach]:
                    del frames[index]
            for kind in outputs.values():
                for kept in kind.values():
                    kept.pop("high_res_masks", None)

    def _pixels(self, image: UInt8Array) -> torch.Tensor:
        """Return f32[3,S,S]: squashed to a square, as both families' processors do."""
        squashed = Image.fromarray(image).resize(
            (self._side, self._side), Image.Resampling.BILINEAR
        )
        scaled = np.asarray(squashed, np.float32) / 255
        normalised = (scaled - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)
        return torch.from_numpy(np.ascontiguousarray(normalised.transpose(2, 0, 1)))

    def _resized(self, mask: BoolArray) -> torch.Tensor:
        """Return f32[1,1,S,S] of 0 and 1; a mask too thin to survive keeps its pixels' places."""
        whole = torch.from_numpy(mask)[None, None].float()
        side = (self._side, self._side)
        smooth = interpolate(whole, size=side, mode="bilinear", align_corners=False, antialias=True)
        resized = smooth >= 0.5
        if not resized.any():
            resized = smooth >= smooth.max()
        return resized.float()
