"""The one door to models: what the node, the command line and evaluation ask of any backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lisa_ros.types import BoolArray, Float32Array, Segmentation, Turn, UInt8Array

Mode = Literal["prompted", "generated"]
OnText = Callable[[str], None]
OnDecode = Callable[[], None]
ShouldStop = Callable[[], bool]

DEFAULT_MAX_NEW_TOKENS = 128


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do and how it is set up.

    name: of the model. modes: the ways it can answer. supports_redecode: whether `decode` works on
    later images. supports_streaming: whether generated text arrives piece by piece.
    found_threshold: the seg_probability below which a prompted answer is a refusal; None where
    nobody calibrated it. demo_model: a demonstration, not a product. view: what the language model
    sees of an image. prompt_template: wraps an instruction. conversation: the fixed strings around
    the exchanges; with others than the weights were trained with, the answers are worse.
    """

    name: str
    modes: tuple[Mode, ...]
    supports_redecode: bool
    supports_streaming: bool
    found_threshold: float | None
    demo_model: bool
    view: str
    prompt_template: str
    conversation: str


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """Everything about an image that does not depend on the question; made by one backend, for it.

    image_hw: rows and columns of the image. Backends add their own fields. A value: it may be used
    from another thread and any number of times.
    """

    image_hw: tuple[int, int]


class Segmenter(Protocol):
    """A model that answers an instruction about an image with text and masks."""

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do."""
        ...

    def encode_image(
        self, image: UInt8Array, should_stop: ShouldStop | None = None
    ) -> EncodedImage:
        """Encode u8[H,W,3] RGB, once for any number of instructions.

        should_stop: polled between stages. Raises ImageError and GenerationCanceledError.
        """
        ...

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
        """Answer one instruction.

        mode: "prompted" supplies the answer `[SEG].` and gives one mask or a refusal; "generated"
        lets the model write, with any number of masks. history: earlier exchanges about this image;
        their instructions are cleaned as this one is. max_new_tokens: where a generated answer is
        cut. on_text: called with the answer so far whenever it changes. on_decode: called when the
        words are complete and their masks are decoded next. should_stop: polled between stages and
        tokens.

        The masks are those of this answer, one for each `[SEG]` of its text, in order; a `[SEG]`
        of an earlier answer gives none again.

        Raises InstructionError or a child of it, ImageError, GenerationCanceledError (with the text
        so far) and ModelError.
        """
        ...

    def decode(
        self, image: UInt8Array | EncodedImage, seg_embeddings: Float32Array
    ) -> tuple[BoolArray, Float32Array]:
        """Decode the f32[S,D] embeddings of an earlier answer on this image.

        An image that is not encoded is encoded for this alone, without what only questions need,
        and as these embeddings want it: they may come from the same model in another set-up, with
        another view. It decodes to the same masks as one that `encode_image` encoded.

        Returns masks bool[S,H,W] and scores f32[S]. Raises ImageError and ModelError.
        """
        ...
