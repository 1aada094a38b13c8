"""GPU memory of what a step computes, by calculation: nothing here is measured.

The formulas count the tensors that autograd keeps for the backward pass, module by module, and the
largest ones that come and go beside them. They assume PyTorch's fused attention, which keeps no
scores of the language model; SAM's encoder computes its own, whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.parameter_counts import ModelSizes
from training.run_config import RunConfig

_FLOAT = 4


@dataclass(frozen=True)
class ImageLoad:
    """What one image brings to a step; assumed, as samples differ.

    Of its conversations the first is as long as a run allows, the others have short_tokens each.
    masks: of the image, each of width_px x height_px.
    """

    conversations: int = 3
    short_tokens: int = 64
    masks: int = 3
    width_px: int = 1920
    height_px: int = 1080

    def text_tokens(self, config: RunConfig) -> int:
        """Ids of a packed row, the image not counted."""
        return config.max_length - 1 + (self.conversations - 1) * self.short_tokens


@dataclass(frozen=True)
class Formats:
    """Bytes of a number. weights: as they are kept. compute: in what maps and attention compute.

    They differ without DeepSpeed, where float32 weights compute in less by autocast.
    """

    weights: int
    compute: int

    @classmethod
    def of(cls, config: RunConfig) -> Formats:
        """Those of a run."""
        compute = _FLOAT if config.precision == "fp32" else 2
        return cls(_FLOAT if config.deepspeed is None else compute, compute)

    @property
    def autocast(self) -> bool:
        """Whether weights are cast for each use."""
        return self.compute < self.weights


def encoding_bytes(sizes: ModelSizes, formats: Formats) -> int:
    """SAM's encoder on one image, without gradients; CLIP needs less, and comes after it.

    The peak is the attention over the whole grid: heads x n x n scores, n = g x g positions (537 MB
    for ViT-H in 2 bytes). Three copies live while the two relative positions are added; autocast
    computes the softmax in float32 instead, which takes 2 + 4 + 4 bytes a score. Beside them: the
    stream, its norm, q, k, v and their copies (8 widths), and two of the MLP's hidden layer.
    """
    sam = sizes.sam
    positions = sam.grid_size**2
    scores = positions**2 if sam.encoder_global_attn_indexes else 0
    windows = math.ceil(sam.grid_size / sam.window_size) ** 2
    scores = sam.encoder_num_heads * max(scores, windows * sam.window_size**4)
    a_score = 10 if formats.autocast else 3 * formats.compute
    stream = 8 * sam.encoder_embed_dim + 2 * sam.encoder_mlp_dim
    pixels = 3 * sam.image_size**2 * (_FLOAT + formats.weights)
    return scores * a_score + positions * stream * formats.weights + pixels


def language_bytes(config: RunConfig, sizes: ModelSizes, load: ImageLoad) -> int:
    """The language model's layers, for a micro-batch.

    With gradient checkpointing each layer keeps its input, and one layer at a time all that
    `_layer_bytes` counts; without it all layers do. Beside them, the gradients inside one layer:
    three of the MLP's width and four of the model's. Autocast adds the narrow copies of the weights
    that the backward pass goes through, of as many layers; 4-bit weights become float32 and then
    the computing format, one map at a time.
    """
    formats, language = Formats.of(config), sizes.language
    tokens = sizes.image_tokens + load.text_tokens(config)
    width, hidden = language.hidden_size, language.intermediate_size
    # Attention takes the mask of what may look at what as a bias, in the format it computes in.
    layer = tokens * _layer_bytes(config, sizes, formats) + tokens**2 * formats.compute
    backward = tokens * formats.compute * (3 * hidden + 4 * width)
    stream = tokens * width * formats.weights
    layers = language.num_hidden_layers
    whole = 1 if config.gradient_checkpointing else layers
    inputs = layers if config.gradient_checkpointing else 1
    casts = 0
    if config.lora is not None and config.lora.quantise is not None:
        casts = (_FLOAT + formats.compute) * width * hidden
    elif formats.autocast:
        casts = formats.compute * whole * (4 * width**2 + 3 * width * hidden)
    return config.micro_batch * (whole * layer + inputs * stream + backward) + casts


def _layer_bytes(config: RunConfig, sizes: ModelSizes, formats: Formats) -> int:
    """What one layer keeps of one token, in widths D of the model, K of its keys and H of its MLP.

    Two norms keep their input in float32 (2 D); attention q, k, v and its output (2 D + 2 K); the
    MLP both factors of its product and what the activation came from (3 H). A frozen map keeps
    nothing. LoRA keeps, for q and v each, its input after dropout and dropout's choice of a byte.
    Where the layer itself learns, maps and norms keep their inputs (5 D + H).
    """
    language, compute = sizes.language, formats.compute
    width, hidden = language.hidden_size, language.intermediate_size
    key_heads = language.num_key_value_heads or language.num_attention_heads
    keys = width // language.num_attention_heads * key_heads
    kept = 2 * _FLOAT * width + compute * (2 * width + 2 * keys + 3 * hidden)
    if config.lora is None:
        return kept + compute * (5 * width + hidden)
    return kept + 2 * (compute + 1) * width


def logits_bytes(config: RunConfig, sizes: ModelSizes, load: ImageLoad) -> int:
    """Next-token logits, as if every id of the text were supervised.

    Logits and their gradient in the computing format; a float32 copy, its log-softmax, and its
    gradient.
    """
    tokens = config.micro_batch * load.text_tokens(config)
    one = 2 * Formats.of(config).compute + 3 * _FLOAT
    return tokens * sizes.language.vocab_size * one


def token_rows_bytes(config: RunConfig, sizes: ModelSizes) -> int:
    """Embeddings and output head, beside their weights and accumulated gradients.

    Where all rows learn, each call of the embeddings makes a gradient of their size before it is
    added. Where only new ones do, PEFT writes them into a copy of the whole matrix at each call: at
    the worst time the head's copy is kept and its gradient is made.
    """
    rows_only = config.lora is not None and config.lora.token_rows == "new"
    matrix = sizes.language.vocab_size * sizes.language.hidden_size
    return matrix * Formats.of(config).weights * (2 if rows_only else 1)


def decoder_bytes(config: RunConfig, sizes: ModelSizes, load: ImageLoad) -> int:
    """SAM's mask decoder, which computes on the whole grid for each mask.

    In units of one image embedding, C x g x g: 7 for each of its two-way layers (keys, twice with
    their positions, three projections to half the width, the norm, attention of a few tokens), 3
    for the last attention, 1 for what goes in, 8 for the two upscalings (C/4 channels at twice and
    C/8 at four times the grid, a few times each).
    """
    formats, sam = Formats.of(config), sizes.sam
    embedding = sam.prompt_embed_dim * sam.grid_size**2
    masks = config.micro_batch * load.masks
    return masks * (7 * sam.decoder_depth + 12) * embedding * formats.weights


def mask_loss_bytes(config: RunConfig, sizes: ModelSizes, load: ImageLoad) -> int:
    """Masks where they are compared, see `MaskGrid`.

    The losses keep four float32 values of a pixel (the logit, its sigmoid, the target twice) beside
    the mask's byte, and make three more for one image at a time. On the way to an image's size,
    logits pass SAM's input's size, forward and back.
    """
    masks, size = load.masks, load.width_px * load.height_px
    stored = config.micro_batch * masks * size
    if config.mask_grid == "decoder":
        compared, passed = sizes.sam.low_res_size**2, 0
    else:
        compared, passed = size, 2 * masks * sizes.sam.image_size**2 * _FLOAT
    kept = config.micro_batch * masks * compared * 4 * _FLOAT
    return stored + kept + 3 * masks * compared * _FLOAT + passed
