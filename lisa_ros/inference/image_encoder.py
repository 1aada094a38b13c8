"""What of an image does not depend on the question: SAM's embedding, CLIP's tokens, the prefix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lisa_ros.inference.answers import raise_if_stopped
from lisa_ros.inference.encoded import DecodableImage, LisaImage, Piece, PiecedImage
from lisa_ros.inference.generation import encode_prefix
from lisa_ros.inference.segmenter import ShouldStop
from lisa_ros.inference.stopwatch import Stopwatch
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor, check_image, clip_input, sam_input
from lisa_ros.model.views import pieces
from lisa_ros.types import PixelBox, UInt8Array


class ImageEncoder:
    """Encodes images for one engine, whole or in pieces, as the view has it.

    view: see `views.pieces` and `preprocess.clip_view`. prefix_ids: what stands before the
    question in every prompt, the image included.
    """

    def __init__(
        self,
        model: LisaForCausalLM,
        clip_processor: ClipProcessor,
        view: str,
        prefix_ids: Sequence[int],
    ) -> None:
        self._model = model
        self._clip_processor = clip_processor
        self._view = view
        # A tile is a square; of a longer one, too, all is to be seen.
        self._view_of_piece = "letterbox" if view == "tiles" else view
        self._prefix_ids = prefix_ids

    @torch.inference_mode()
    def encode(
        self, image: UInt8Array, watch: Stopwatch, should_stop: ShouldStop | None
    ) -> LisaImage | PiecedImage:
        """Encode u8[H,W,3]; stages sam_encode, clip_encode and prefix, once for each piece.

        Raises ImageError, and GenerationCanceledError between stages.
        """
        image = check_image(image)
        height, width = image.shape[:2]
        boxes = pieces(height, width, self._view)
        if len(boxes) == 1:
            return self._encode(image, watch, should_stop)
        encoded = [self._encode(_cut(image, box), watch, should_stop) for box in boxes]
        return PiecedImage((height, width), tuple(map(Piece, boxes, encoded)))

    @torch.inference_mode()
    def encode_for_decoding(
        self, image: UInt8Array, n_pieces: int
    ) -> list[tuple[PixelBox, DecodableImage]]:
        """Encode u8[H,W,3] with SAM alone, for embeddings of so many pieces, whatever the view.

        A square image has no second piece. Raises ImageError.
        """
        image = check_image(image)
        height, width = image.shape[:2]
        boxes = pieces(height, width, "tiles" if n_pieces > 1 else "center")
        crops = [_cut(image, box) for box in boxes]
        return [
            (box, DecodableImage(crop.shape[:2], *self._encode_sam(crop)))
            for box, crop in zip(boxes, crops, strict=True)
        ]

    def _encode(
        self, image: UInt8Array, watch: Stopwatch, should_stop: ShouldStop | None
    ) -> LisaImage:
        model = self._model
        with watch.stage("sam_encode"):
            resized_hw, sam_embedding = self._encode_sam(image)
        raise_if_stopped(should_stop)
        with watch.stage("clip_encode"):
            shown = clip_input(image, self._clip_processor, self._view_of_piece)
            image_tokens = model.encode_clip(shown[None].to(model.device, model.dtype))
        raise_if_stopped(should_stop)
        with watch.stage("prefix"):
            prefix = encode_prefix(model, self._prefix_ids, image_tokens)
        raise_if_stopped(should_stop)
        return LisaImage(image.shape[:2], resized_hw, sam_embedding, prefix, self)

    def _encode_sam(self, image: UInt8Array) -> tuple[tuple[int, int], Tensor]:
        model = self._model
        pixels, resized_hw = sam_input(image, model.sam.config.image_size)
        return resized_hw, model.encode_sam(pixels[None].to(model.device, model.dtype))[0]


def _cut(image: UInt8Array, box: PixelBox) -> UInt8Array:
    return image[box.top : box.bottom, box.left : box.right]
