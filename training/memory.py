"""GPU memory and RAM of a run, by calculation: nothing here is measured.

    python -m training.memory CONFIG.yaml [--ranks N] [--model lisa-7b] [key=value ...]

The sizes are those of the weights that the run starts from, which are not read; with `--model` they
need not be there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lisa_ros.errors import ConfigurationError, LisaError
from training.activation_memory import ImageLoad
from training.config import load_config
from training.memory_estimate import Estimate, estimate
from training.parameter_counts import PUBLISHED, ModelSizes, sizes_of
from training.run_config import RunConfig
from training.start import load_start


def table(found: Estimate, ranks: int, machines: int) -> str:
    """The estimate for people."""
    lines = [f"{'of each rank, by calculation':38}{'GPU':>9}{'RAM':>9}"]
    lines += [_line(*part) for part in found.kept]
    lines += ["and of these, one at a time,"]
    lines += [_line(*part) for part in found.moments]
    lines.append(_line("where the weights are read", 0, found.loading))
    here = -(-ranks // machines)
    return "\n".join(
        [
            *lines,
            _line("at most", found.gpu, found.ram),
            f"{found.gpu / 1e9:.1f} GB on each of {ranks} GPUs, {found.ram * here / 1e9:.0f} GB of "
            f"RAM on a machine with {here} of them, by calculation.",
        ]
    )


def _line(name: str, gpu: int, ram: int) -> str:
    shown = [f"{size / 1e9:6.2f} GB" if size else "" for size in (gpu, ram)]
    return f"  {name:36}{shown[0]:>9}{shown[1]:>9}"


def summary(found: Estimate) -> str:
    """The GPU's total in a line."""
    return f"About {found.gpu / 1e9:.0f} GB of GPU memory a rank, by calculation."


def _sizes(config: RunConfig, model: str | None) -> ModelSizes:
    if model is not None:
        return PUBLISHED[model]
    with tempfile.TemporaryDirectory(prefix="lisa_memory_") as work:
        return sizes_of(load_start(config.start, Path(work), config.seed, weights=False))


def _image(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text!r}")
    return int(width), int(height)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("config", type=Path, help="a file such as those in training/configs")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--ranks", type=int, default=1, help="GPUs of the run")
    parser.add_argument("--machines", type=int, default=1, help="machines that share them")
    parser.add_argument("--model", choices=PUBLISHED, help="its sizes, without its weights")
    parser.add_argument("--image", type=_image, default=(1920, 1080), metavar="WIDTHxHEIGHT")
    parser.add_argument("--masks", type=int, default=3, help="masks and conversations of an image")
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(RunConfig, options.config, options.overrides)
        for name in ("ranks", "machines", "masks"):
            if getattr(options, name) < 1:
                raise ConfigurationError(
                    f"--{name} is {getattr(options, name)}; expected 1 or more."
                )
        width, height = options.image
        load = ImageLoad(options.masks, masks=options.masks, width_px=width, height_px=height)
        found = estimate(config, _sizes(config, options.model), options.ranks, load)
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(found, options.ranks, options.machines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
