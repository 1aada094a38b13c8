"""The weights that a run starts from, and what of them learns."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch
from torch import nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import SETTINGS_FILE, LoadedLisa, load_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.locations import checkpoint_folder
from lisa_ros.model.quantise import quantise_layers
from lisa_ros.model.settings import LisaSettings
from training.llava_base import lisa_from_llava
from training.objective import LisaObjective
from training.precision import precision_named
from training.run_config import RunConfig, Start
from training.target_head import TargetHead
from training.trainable import choose_trainable


def load_start(
    start: Start,
    work: Path,
    seed: int,
    dtype: torch.dtype = torch.float32,
    weights: bool = True,
) -> LoadedLisa:
    """Load a LISA, or join a LLaVA and a SAM; on the CPU.

    work: a folder of the run, where the tokenizer of a joined one is written. weights: false checks
    every file, key and shape, but reads no weights; the model is then on the meta device.

    Raises:
        CheckpointError: see `load_checkpoint` and `lisa_from_llava`.
        ConfigurationError: `start` contradicts what a LISA says of itself.

    """
    settings = LisaSettings(view=start.view, conversation=start.conversation)
    if start.lisa is not None:
        loaded = load_checkpoint(start.lisa, "cpu" if weights else "meta", dtype)
        if not (loaded.path / SETTINGS_FILE).exists():
            return dataclasses.replace(loaded, settings=settings)
        _check_unsaid(start, loaded.settings)
        return loaded
    assert start.llava is not None, "Start refuses anything else"
    assert start.sam is not None
    return lisa_from_llava(
        checkpoint_folder(start.llava),
        Path(start.sam),
        work,
        settings,
        vision_tower=start.vision_tower,
        seed=seed,
        dtype=dtype,
        weights=weights,
    )


def _check_unsaid(start: Start, said: LisaSettings) -> None:
    """Raise ConfigurationError where something else was asked for than a LISA says of itself."""
    for name in ("conversation", "view"):
        asked, own = getattr(start, name), getattr(said, name)
        if asked not in (getattr(Start, name), own):
            raise ConfigurationError(
                f"start.{name} is {asked}, but {start.lisa} says {own} in its {SETTINGS_FILE}; "
                "leave it out."
            )


def loading_dtype(config: RunConfig) -> torch.dtype:
    """The dtype that a run loads its weights in.

    DeepSpeed keeps its own float32 copies of what learns; without it the weights are that copy.
    """
    return torch.float32 if config.deepspeed is None else precision_named(config.precision)


def learning_objective(
    loaded: LoadedLisa, prefix: tuple[int, ...], config: RunConfig
) -> LisaObjective:
    """The model with its losses, and of its parameters those that learn thawed."""
    model = loaded.model
    if config.lora is not None and config.lora.quantise is not None:
        quantise_layers(model, precision_named(config.precision))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        choose_trainable(model, config.lora, loaded.tokenizer.added_ids)
        head = TargetHead(model.config.out_dim) if config.head_weight else None
    if config.gradient_checkpointing:
        llm = model.model  # transformers 5 renames this
        renamed = getattr(llm, "activation_checkpointing_enable", None)
        (renamed or llm.gradient_checkpointing_enable)()
    return LisaObjective(model, prefix, config.mask_grid, head)


def weights_digest(model: LisaForCausalLM, dtype: torch.dtype) -> str:
    """A digest of parts in which any two LISA differ, as they are in a dtype.

    To see whether a run is exported with the weights that it started from.
    """
    digest = hashlib.sha256()
    for part in (model.model.embed_tokens, model.model.text_hidden_fcs, model.sam.mask_decoder):
        for _, values in sorted(part.state_dict().items()):
            rounded = values.to(dtype).cpu().contiguous()
            digest.update(rounded.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def learning_digest(model: nn.Module) -> str:
    """A digest of the parameters that learn, to recognise what a run started from."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad:
            digest.update(name.encode())
            digest.update(parameter.detach().contiguous().view(torch.uint8).cpu().numpy().tobytes())
    return digest.hexdigest()
