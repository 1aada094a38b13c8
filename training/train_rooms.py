"""Train LISA on simulated rooms: `python -m training.train CONFIG.yaml [key=value ...]`.

The vision towers stay frozen, as in the paper; the language model, its connection to them, the
`[SEG]` projection and the mask decoder learn. Run again with the same configuration, an interrupted
run continues where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from lisa_ros.model.checkpoint import load_checkpoint, save_checkpoint
from lisa_ros.model.prompts import conversation_named
from lisa_ros.model.settings import LisaSettings
from training.config import load_config
from training.conversation import ConversationTokenizer
from training.data.questions import QuestionEncoder
from training.data.room_questions import RoomQuestions
from training.data.rooms import load_rooms
from training.features import FrozenFeatures
from training.precision import precision_named
from training.ranks import Ranks, joined_ranks
from training.train_config import TrainConfig
from training.trainer import Trainer


def main() -> None:
    """Run the training that a configuration describes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    arguments = parser.parse_args()
    train(load_config(TrainConfig, arguments.config, arguments.overrides))


def train(config: TrainConfig) -> None:
    """Train, checkpoint, and write the released-layout directory `out/checkpoint`."""
    with joined_ranks() as ranks:
        train_together(config, ranks)


def train_together(config: TrainConfig, ranks: Ranks) -> None:
    """What each of the processes does that train together; the first one writes."""
    dtype = precision_named(config.precision)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    loaded = load_checkpoint(config.init)
    rooms = load_rooms(Path(config.rooms), config.max_rooms, ranks)
    settings = loaded.settings
    tokenize = ConversationTokenizer(loaded.tokenizer, conversation_named(settings.conversation))
    encoder = QuestionEncoder(tokenize, settings.prompt_template, config.bare_answer_share)
    features = FrozenFeatures.of_rooms(
        loaded.model, loaded.clip_processor, rooms, settings.view, dtype, ranks.first
    )
    trainer = Trainer(config, loaded, tokenize.prefix, ranks)
    questions = RoomQuestions(config, rooms, encoder, loaded.model.num_image_tokens, ranks)
    run(trainer, questions, features, out)
    seeds = ranks.gather([room.seed for room in rooms])
    if not ranks.first:
        return
    save_checkpoint(
        out / "checkpoint",
        loaded.model,
        tokenizer_folder=loaded.path,
        clip_processor=loaded.clip_processor,
        settings=trained_settings(settings, config, seeds),
    )
    print(f"Written {out / 'checkpoint'}. Next: python -m training.calibrate {out / 'checkpoint'}")


def trained_settings(
    settings: LisaSettings, config: TrainConfig, seeds: Sequence[int]
) -> LisaSettings:
    """The settings of the new weights: no threshold yet, and how they and their past were made."""
    past = dict(settings.provenance)
    past.pop("calibrated_on", None)
    if "trained_with" in past:
        past["trained_before"] = [*past.get("trained_before", []), past["trained_with"]]
    known = [*seeds, *past.get("room_seeds", [])]
    made = {
        "trained_with": dataclasses.asdict(config),
        "rooms": len(seeds),
        "room_seeds": [min(known), max(known)],
    }
    return dataclasses.replace(settings, found_threshold=None, provenance={**past, **made})


def run(trainer: Trainer, questions: RoomQuestions, features: FrozenFeatures, out: Path) -> None:
    """The loop: the next batch is drawn in a thread while the current one is computed."""
    config, first_rank = trainer.config, trainer.ranks.first
    state = out / "state.pt"
    first = trainer.resume(state)
    trainer.model.train()
    with (
        ThreadPoolExecutor(1) as background,
        (out / "losses.jsonl" if first_rank else Path(os.devnull)).open("a") as log,
        tqdm(total=config.steps, initial=first, unit="step", disable=not first_rank) as bar,
    ):
        upcoming = background.submit(questions.batch, first)
        for step in range(first, config.steps):
            batch = upcoming.result()
            upcoming = background.submit(questions.batch, step + 1)
            parts = trainer.step(step, batch, features)
            bar.update()
            if step % 20 == 0:
                bar.set_postfix({name: f"{part:.3f}" for name, part in parts.items()})
                log.write(json.dumps({"step": step, **parts}) + "\n")
                log.flush()
            due = (step + 1) % config.save_every == 0 or step + 1 == config.steps
            if due and first_rank:
                trainer.save(state, step + 1)


if __name__ == "__main__":
    main()
