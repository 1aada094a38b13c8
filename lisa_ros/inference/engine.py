"""LISA behind the `Segmenter` protocol: encode an image once, prompt many times.

The fast path. Per image: SAM's embedding, CLIP's tokens and the language model's keys and values of
everything up to the question. Per question: one prefill, cached steps, one mask decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch

from lisa_ros.errors import ModelError
from lisa_ros.inference.answers import (
    Answer,
    generated_answer,
    raise_if_stopped,
    refusal,
    seg_probability,
    supplied_answer,
)
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.inference.encoded import LisaImage, PiecedImage, pieces_of
from lisa_ros.inference.generation import Prompted, prefill
from lisa_ros.inference.image_encoder import ImageEncoder
from lisa_ros.inference.instruction import check_length
from lisa_ros.inference.mask_decoding import decode_pieces, join_embeddings
from lisa_ros.inference.merging import accepting_pieces, surest_piece
from lisa_ros.inference.questions import Questions
from lisa_ros.inference.segmenter import (
    DEFAULT_MAX_NEW_TOKENS,
    EncodedImage,
    Mode,
    OnDecode,
    OnText,
    ShouldStop,
)
from lisa_ros.inference.set_up import SetUp, capabilities_of, check_options, is_calibrated
from lisa_ros.inference.stopwatch import Stopwatch
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.prompts import conversation_named, text_of
from lisa_ros.model.quantise import loader_named
from lisa_ros.model.reliability import confidence_at
from lisa_ros.model.views import seen_boxes
from lisa_ros.types import BoolArray, Float32Array, PixelBox, Segmentation, Turn, UInt8Array


class LisaEngine:
    """A LISA checkpoint that answers instructions; a `Segmenter`.

    Threads may share it: nothing in it changes after construction.
    """

    def __init__(self, loaded: LoadedLisa, **set_up: Unpack[SetUp]) -> None:
        """Set up a loaded checkpoint; see `SetUp`.

        Answers are `calibrated` only with everything as the checkpoint says. Raises
        ConfigurationError, or TokenizerError when yes and no cannot be told apart.
        """
        self.capabilities = capabilities_of(loaded, set_up)
        self._loaded = loaded
        self._model = loaded.model.eval()
        self._questions = Questions(
            loaded.tokenizer,
            conversation_named(self.capabilities.conversation),
            self.capabilities.prompt_template,
        )
        self._encoder = ImageEncoder(
            self._model,
            loaded.clip_processor,
            self.capabilities.view,
            self._questions.prefix_ids,
        )
        self._calibrated = is_calibrated(self.capabilities, loaded.settings)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        device: str = "cpu",
        dtype: str = "float32",
        quantization: str = "none",
        **set_up: Unpack[SetUp],
    ) -> LisaEngine:
        """Load a checkpoint: a folder, a hub id, or the alias `lisa-tiny`.

        device: "cpu", "cuda", "cuda:1" or "auto" (a GPU where there is one). dtype: "float32",
        "bfloat16", "float16" (GPU only) or "auto" (bfloat16 on a GPU, float32 on a CPU).
        quantization: "none", or "nf4" for the language model's layers in 4 bits. set_up: see
        `SetUp`. Raises CheckpointError or a child of it, DeviceError, ConfigurationError.
        """
        target = device_named(device)
        load = loader_named(quantization)
        return cls(load(model, target, dtype_named(dtype, target)), **set_up)

    def set_up_anew(self, **set_up: Unpack[SetUp]) -> LisaEngine:
        """Return an engine with these weights, set up as if just loaded; no file is read.

        What this one has encoded stays its own; what it has answered, either can decode again.
        Raises as the constructor does.
        """
        return LisaEngine(self._loaded, **set_up)

    def encode_image(
        self, image: UInt8Array, should_stop: ShouldStop | None = None
    ) -> LisaImage | PiecedImage:
        """Encode u8[H,W,3] RGB for any number of instructions; see `Segmenter.encode_image`."""
        return self._encoder.encode(image, Stopwatch(self._model.device), should_stop)

    def prompt_ids(self, instruction: str, history: Sequence[Turn] = ()) -> list[int]:
        """Return the ids that an instruction becomes, with IMAGE_TOKEN_INDEX for the image."""
        return self._questions.ids(self._questions.worded(instruction), history)

    @torch.inference_mode()
    def segment(
        self,
        image: UInt8Array | EncodedImage,
        instruction: str,
        *,
        mode: Mode = "prompted",
        history: Sequence[Turn] = (),
        max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
        on_text: OnText | None = None,
        on_decode: OnDecode | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Segmentation:
        """Answer one instruction; see `Segmenter.segment`.

        Stages in timings_ms: sam_encode, clip_encode and prefix (unless the image came encoded),
        prefill, generate (unless prompted), mask_decode.
        """
        check_options(mode, max_new_tokens)
        question = self._questions.worded(instruction)
        ids = self._questions.ids(question, history)
        n_prompt = len(ids) - 1 + self._model.num_image_tokens
        context = self._loaded.config.max_position_embeddings
        check_length(n_prompt, max_new_tokens if mode == "generated" else 0, context)
        watch = Stopwatch(self._model.device)
        encoded = (
            image
            if isinstance(image, EncodedImage)
            else self._encoder.encode(image, watch, should_stop)
        )
        raise_if_stopped(should_stop)
        pieces = self._own_pieces(encoded)
        prompted, probabilities = self._prefill(pieces, ids, watch, should_stop)
        if mode == "generated":
            best = surest_piece(probabilities)
            with watch.stage("generate"):
                answer = generated_answer(
                    self._model,
                    self._loaded.tokenizer,
                    prompted[best],
                    max_new_tokens,
                    on_text,
                    should_stop,
                )
            answers = {best: answer}
        else:
            answers = self._supplied(prompted, probabilities, on_text)
        text = next(iter(answers.values())).text
        raise_if_stopped(should_stop, text)
        if on_decode is not None:
            on_decode()
        with watch.stage("mask_decode"):
            embeddings = join_embeddings(
                {i: self._model.seg_embeddings(a.seg_states) for i, a in answers.items()},
                len(prompted),
            )
            masks, scores = decode_pieces(self._model, pieces, embeddings, encoded.image_hw)
        probability, found = max(probabilities), len(masks) > 0
        calibrated = self._calibrated and mode == "prompted" and not history
        reliability = self._loaded.settings.reliability
        return Segmentation(
            text=text,
            prompt_text=text_of(question),
            masks=masks,
            scores=scores,
            seg_embeddings=embeddings.flatten(1).float().cpu().numpy(),
            seg_probability=probability,
            found=found,
            calibrated=calibrated,
            timings_ms=watch.timings_ms,
            confidence=confidence_at(reliability, probability) if calibrated and found else None,
            seen=seen_boxes(*encoded.image_hw, self.capabilities.view),
        )

    @torch.inference_mode()
    def decode(
        self, image: UInt8Array | EncodedImage, seg_embeddings: Float32Array
    ) -> tuple[BoolArray, Float32Array]:
        """Decode embeddings of an earlier answer on this image; see `Segmenter.decode`.

        No language model runs. Raises ModelError for another shape, an image of another engine, or
        mask logits that are not finite.
        """
        width = self._model.config.out_dim
        n_given = seg_embeddings.shape[1] // width if seg_embeddings.ndim == 2 else 1
        pieces, image_hw = (
            (self._own_pieces(image), image.image_hw)
            if isinstance(image, EncodedImage)
            else (self._encoder.encode_for_decoding(image, n_given), image.shape[:2])
        )
        if seg_embeddings.shape[1:] != (len(pieces) * width,):
            raise ModelError(
                f"Got embeddings {list(seg_embeddings.shape)}, expected [S,{len(pieces) * width}] "
                f"of this model for an image in {len(pieces)} piece(s)."
            )
        embeddings = torch.tensor(
            seg_embeddings, device=self._model.device, dtype=self._model.dtype
        ).reshape(len(seg_embeddings), len(pieces), width)
        return decode_pieces(self._model, pieces, embeddings, image_hw)

    def _prefill(
        self,
        pieces: Sequence[tuple[PixelBox, LisaImage]],
        ids: Sequence[int],
        watch: Stopwatch,
        should_stop: ShouldStop | None,
    ) -> tuple[list[Prompted], list[float]]:
        """Put a question about each piece; return where it ended and its seg_probability."""
        prompted, probabilities = [], []
        for _, image in pieces:
            with watch.stage("prefill"):
                prompted.append(prefill(self._model, image.prefix, ids))
                probabilities.append(
                    seg_probability(self._model, prompted[-1], self._questions.accepting)
                )
            raise_if_stopped(should_stop)
        return prompted, probabilities

    def _supplied(
        self,
        prompted: Sequence[Prompted],
        probabilities: Sequence[float],
        on_text: OnText | None,
    ) -> dict[int, Answer]:
        """Return the supplied answer of each piece that accepts, else one refusal."""
        chosen = accepting_pieces(probabilities, self.capabilities.found_threshold)
        answers = {piece: supplied_answer(prompted[piece]) for piece in chosen}
        answers = answers or {0: refusal(prompted[0])}
        if on_text is not None:
            on_text(next(iter(answers.values())).text)
        return answers

    def _own_pieces(self, image: EncodedImage) -> list[tuple[PixelBox, LisaImage]]:
        pieces = pieces_of(image)
        own = [
            (box, piece)
            for box, piece in pieces
            if isinstance(piece, LisaImage) and piece.encoder is self._encoder
        ]
        if len(own) < len(pieces):
            raise ModelError(
                "This image was encoded by another model or engine; other weights cannot read it. "
                "Encode it with the engine that is asked."
            )
        return own
