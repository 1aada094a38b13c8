"""LISA behind the `Segmenter` protocol: encode an image once, prompt many times.

The fast path. Per image: SAM's embedding, CLIP's tokens and the language model's keys and values of
everything up to the question. Per question: one prefill, cached steps, one mask decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lisa_ros.errors import ConfigurationError, ModelError
from lisa_ros.inference.answers import (
    Answer,
    generated_answer,
    raise_if_stopped,
    refusal,
    seg_probability,
    supplied_answer,
)
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.inference.encoded import DecodableImage, LisaImage, Piece, PiecedImage, pieces_of
from lisa_ros.inference.generation import Prompted, prefill
from lisa_ros.inference.image_encoder import ImageEncoder
from lisa_ros.inference.instruction import check_length, clean_instruction, clean_turn
from lisa_ros.inference.mask_decoding import decode_pieces, join_embeddings
from lisa_ros.inference.merging import accepting_pieces, surest_piece
from lisa_ros.inference.segmenter import (
    DEFAULT_MAX_NEW_TOKENS,
    Capabilities,
    EncodedImage,
    Mode,
    OnDecode,
    OnText,
    ShouldStop,
)
from lisa_ros.inference.stopwatch import Stopwatch
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint
from lisa_ros.model.prompts import (
    IMAGE_PREFIX,
    accepting_first_tokens,
    conversation_named,
    render,
    text_of,
    wrap_instruction,
)
from lisa_ros.model.reliability import confidence_at
from lisa_ros.model.settings import LisaSettings
from lisa_ros.model.tokenizer import Span
from lisa_ros.model.views import seen_boxes, view_named
from lisa_ros.types import BoolArray, Float32Array, Segmentation, Turn, UInt8Array

MODES: tuple[Mode, ...] = ("prompted", "generated")

Threshold = float | Literal["auto"] | None


class LisaEngine:
    """A LISA checkpoint that answers instructions; a `Segmenter`.

    Threads may share it: nothing in it changes after construction.
    """

    def __init__(
        self,
        loaded: LoadedLisa,
        *,
        conversation: str | None = None,
        view: str | None = None,
        prompt_template: str | None = None,
        found_threshold: Threshold = "auto",
    ) -> None:
        """Set up a loaded checkpoint; whatever is not given is as the checkpoint says.

        conversation: "llava_v1" or "llava_llama_2". A released checkpoint does not say which it was
        trained with; those made from Llama 2 need the latter. view, prompt_template: see
        `preprocess.clip_view`, `views.pieces` and `prompts.wrap_instruction`.
        found_threshold: 0..1, None for "never refuse a prompted answer", "auto" for the
        checkpoint's. Answers are `calibrated` only with everything as the checkpoint says.

        Raises ConfigurationError, or TokenizerError when yes and no cannot be told apart.
        """
        settings = loaded.settings
        self._loaded = loaded
        self._model = loaded.model.eval()
        self._tokenizer = loaded.tokenizer
        self._context = loaded.config.max_position_embeddings
        self._conversation = conversation_named(conversation or settings.conversation)
        self._accepting = sorted(accepting_first_tokens(self._tokenizer, self._conversation))
        template = settings.prompt_template if prompt_template is None else prompt_template
        wrap_instruction("", template)
        threshold = settings.found_threshold if found_threshold == "auto" else found_threshold
        if threshold is not None and not 0 <= threshold <= 1:
            raise ConfigurationError(
                f"found_threshold is {threshold}; expected 0..1, None or 'auto'."
            )
        self.capabilities = Capabilities(
            name=loaded.name,
            modes=MODES,
            supports_redecode=True,
            supports_streaming=True,
            found_threshold=threshold,
            demo_model=settings.demo_model,
            view=view_named(settings.view if view is None else view),
            prompt_template=template,
            conversation=self._conversation.name,
        )
        self._encoder = ImageEncoder(
            self._model,
            loaded.clip_processor,
            self.capabilities.view,
            self._tokenizer.encode_prompt([Span(self._conversation.opening + IMAGE_PREFIX, True)]),
        )
        self._calibrated = threshold is not None and _as_stored(self.capabilities, settings)
        self._reliability = settings.reliability

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        device: str = "cpu",
        dtype: str = "float32",
        *,
        conversation: str | None = None,
        view: str | None = None,
        prompt_template: str | None = None,
        found_threshold: Threshold = "auto",
    ) -> LisaEngine:
        """Load a checkpoint: a folder, a hub id, or the alias `lisa-tiny`.

        device: "cpu", "cuda", "cuda:1" or "auto" (a GPU where there is one). dtype: "float32",
        "bfloat16", "float16" (GPU only) or "auto" (bfloat16 on a GPU, float32 on a CPU). The
        others are those of the constructor. Raises CheckpointError or a child of it, DeviceError,
        ConfigurationError.
        """
        target = device_named(device)
        return cls(
            load_checkpoint(model, target, dtype_named(dtype, target)),
            conversation=conversation,
            view=view,
            prompt_template=prompt_template,
            found_threshold=found_threshold,
        )

    def set_up_anew(
        self,
        *,
        conversation: str | None = None,
        view: str | None = None,
        prompt_template: str | None = None,
        found_threshold: Threshold = "auto",
    ) -> LisaEngine:
        """Return an engine with these weights, set up as if just loaded; no file is read.

        What this one has encoded stays its own. Raises as the constructor does.
        """
        return LisaEngine(
            self._loaded,
            conversation=conversation,
            view=view,
            prompt_template=prompt_template,
            found_threshold=found_threshold,
        )

    def encode_image(
        self, image: UInt8Array, should_stop: ShouldStop | None = None
    ) -> LisaImage | PiecedImage:
        """Encode u8[H,W,3] RGB for any number of instructions; see `Segmenter.encode_image`."""
        return self._encoder.encode(image, Stopwatch(self._model.device), should_stop)

    def encode_for_decoding(self, image: UInt8Array) -> DecodableImage | PiecedImage:
        """Encode u8[H,W,3] RGB with SAM alone, for `decode`. Raises ImageError."""
        return self._encoder.encode_for_decoding(image)

    def prompt_ids(self, instruction: str, history: Sequence[Turn] = ()) -> list[int]:
        """Return the ids that an instruction becomes, with IMAGE_TOKEN_INDEX for the image."""
        return self._prompt_ids(self._question(instruction), history)

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
        _check_options(mode, max_new_tokens)
        question = self._question(instruction)
        ids = self._prompt_ids(question, history)
        n_prompt = len(ids) - 1 + self._model.num_image_tokens
        check_length(n_prompt, max_new_tokens if mode == "generated" else 0, self._context)
        watch = Stopwatch(self._model.device)
        encoded = (
            image
            if isinstance(image, EncodedImage)
            else self._encoder.encode(image, watch, should_stop)
        )
        raise_if_stopped(should_stop)
        prompted, probabilities = self._prefill(encoded, ids, watch, should_stop)
        if mode == "generated":
            best = surest_piece(probabilities)
            with watch.stage("generate"):
                answer = generated_answer(
                    self._model,
                    self._tokenizer,
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
            masks, scores = self._masks(encoded, embeddings)
        probability, found = max(probabilities), len(masks) > 0
        calibrated = self._calibrated and mode == "prompted" and not history
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
            confidence=(
                confidence_at(self._reliability, probability) if calibrated and found else None
            ),
            seen=seen_boxes(*encoded.image_hw, self.capabilities.view),
        )

    @torch.inference_mode()
    def decode(
        self, image: EncodedImage, seg_embeddings: Float32Array
    ) -> tuple[BoolArray, Float32Array]:
        """Decode embeddings f32[S,D] of an earlier answer on this image; no language model runs.

        Returns masks bool[S,H,W] and scores f32[S]. Raises ModelError for another shape, an image
        of another engine, or mask logits that are not finite.
        """
        n_pieces, width = len(pieces_of(image)), self._model.config.out_dim
        if seg_embeddings.ndim != 2 or seg_embeddings.shape[1] != n_pieces * width:
            raise ModelError(
                f"Got embeddings {list(seg_embeddings.shape)}, expected [S,{n_pieces * width}] of "
                f"this model for an image in {n_pieces} piece(s)."
            )
        embeddings = torch.tensor(
            seg_embeddings, device=self._model.device, dtype=self._model.dtype
        )
        return self._masks(image, embeddings.reshape(len(seg_embeddings), n_pieces, width))

    def _question(self, instruction: str) -> list[Span]:
        return wrap_instruction(clean_instruction(instruction), self.capabilities.prompt_template)

    def _prompt_ids(self, question: list[Span], history: Sequence[Turn]) -> list[int]:
        exchanges = [
            ([Span(turn.instruction, False)], turn.response) for turn in map(clean_turn, history)
        ]
        spans = render(self._conversation, [*exchanges, (question, None)])
        return self._tokenizer.encode_prompt(spans)

    def _prefill(
        self,
        encoded: EncodedImage,
        ids: Sequence[int],
        watch: Stopwatch,
        should_stop: ShouldStop | None,
    ) -> tuple[list[Prompted], list[float]]:
        """Put a question about each piece; return where it ended and its seg_probability."""
        prompted, probabilities = [], []
        for image in self._askable(encoded):
            with watch.stage("prefill"):
                prompted.append(prefill(self._model, image.prefix, ids))
                probabilities.append(seg_probability(self._model, prompted[-1], self._accepting))
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

    def _askable(self, image: EncodedImage) -> list[LisaImage]:
        own = [self._own(piece) for piece in pieces_of(image)]
        askable = [piece for piece in own if isinstance(piece, LisaImage)]
        if len(askable) < len(own):
            raise ModelError(
                "This image was encoded for decoding only; the language model has not seen it. "
                "Encode it with encode_image to ask about it."
            )
        return askable

    def _own(self, piece: Piece) -> DecodableImage:
        image = piece.image
        if not isinstance(image, DecodableImage) or image.encoder is not self._encoder:
            raise ModelError(
                "This image was encoded by another model or engine; other weights cannot read it. "
                "Encode it with the engine that is asked."
            )
        return image

    def _masks(self, encoded: EncodedImage, embeddings: Tensor) -> tuple[BoolArray, Float32Array]:
        """Decode [S,P,C]; see `decode_pieces`."""
        pieces = [(piece.box, self._own(piece)) for piece in pieces_of(encoded)]
        return decode_pieces(self._model, pieces, embeddings, encoded.image_hw)


def _as_stored(capabilities: Capabilities, settings: LisaSettings) -> bool:
    """Say whether everything that `seg_probability` and its threshold depend on is the stored."""
    names = ("found_threshold", "view", "prompt_template", "conversation")
    return all(getattr(capabilities, name) == getattr(settings, name) for name in names)


def _check_options(mode: str, max_new_tokens: int) -> None:
    if mode not in MODES:
        raise ConfigurationError(f"Unknown mode {mode!r}; choose one of {', '.join(MODES)}.")
    if max_new_tokens < 1:
        raise ConfigurationError(f"max_new_tokens is {max_new_tokens}; expected at least 1.")
