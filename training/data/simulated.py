"""Stored simulated rooms as a dataset: requests about what is there, and about what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lisa_ros.errors import ConfigurationError, DatasetError, SimulationError
from lisa_ros.model.prompts import (
    ANSWERS,
    DEFAULT_PROMPT_TEMPLATE,
    REFUSAL,
    SUPPLIED_ANSWER,
    text_of,
    wrap_instruction,
)
from lisa_ros.simulation.requests import Request
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.storage import read_shard, shard_paths
from lisa_ros.simulation.stored_rooms import StoredRooms
from lisa_ros.simulation.wordings import SPLITS, Split
from lisa_ros.types import UInt8Array
from training.data.phrasing import QUESTIONS_PER_IMAGE, accepting_answer, pick
from training.data.room_requests import KindChoice, draw_requests
from training.data.sample import NothingToAskError, Problem, Sample, Taught, Turn
from training.target_head import shown_labels, target_labels

_ALL_KINDS = KindChoice()
_WORDED_ANSWERS = tuple(answer for answer in ANSWERS if answer != SUPPLIED_ANSWER)


class SimulatedRooms:
    """The rooms of a folder; see `python -m lisa_ros.simulation.generate`.

    phrasings: in which words is asked, "train" or "unseen". requests_per_image: at most so many,
    each in its own conversation; about absent_share of them are for what is not there, and are
    refused without a mask. prompt_template: what a request is put into, as the engine does.
    kinds: of things that are asked for; rooms that show none of them are left out.
    bare_answer_share: how often the answer is the "[SEG]." that the prompted mode supplies, the
    rest being spread evenly over upstream's others; None for all alike. Below one half, greedy
    generation opens with a word. taught: add what a temporary head is taught (`target_head`).
    """

    def __init__(
        self,
        folder: Path,
        phrasings: str = "train",
        *,
        requests_per_image: int = QUESTIONS_PER_IMAGE,
        absent_share: float = 0.25,
        prompt_template: str = DEFAULT_PROMPT_TEMPLATE,
        kinds: KindChoice = _ALL_KINDS,
        bare_answer_share: float | None = None,
        taught: bool = False,
    ) -> None:
        """Read what is known of the rooms, about 4 kB each; their pictures stay on the disk.

        Raises:
            ConfigurationError: an option is out of range.
            DatasetError: no rooms, or a shard that is damaged or of another format.

        """
        if requests_per_image < 1 or not 0 <= absent_share <= 1:
            raise ConfigurationError(
                f"Got requests_per_image {requests_per_image} and absent_share {absent_share}; "
                "expected 1 or more, and 0 to 1."
            )
        wrap_instruction("", prompt_template)
        self._folder, self._template = folder, prompt_template
        self._phrasings = _words(phrasings)
        self._requests_per_image, self._absent_share = requests_per_image, absent_share
        self._kinds = kinds
        self._bare_answer_share, self._taught = bare_answer_share, taught
        try:
            self._rooms = StoredRooms(folder)
        except SimulationError as error:
            raise DatasetError(str(error)) from error
        self._kept = [
            index
            for index in range(len(self._rooms))
            if kinds.takes_all or kinds.askable(self._rooms.objects(index))
        ]
        if not self._kept:
            raise DatasetError(f"No room in {folder} shows any of the kinds to ask for.")

    @property
    def name(self) -> str:
        """Such as "rooms|train", by the words of the requests."""
        return f"rooms|{self._phrasings}"

    def __len__(self) -> int:
        return len(self._kept)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw requests about one room, with upstream's answers.

        Raises:
            DatasetError: the room is damaged; names the shard.
            NothingToAskError: nothing in it can be asked for without ambiguity.

        """
        room = self._room(index)
        requests = self._requests(index, room, rng)
        conversations = tuple(
            (Turn(self._question(r), self._answer(rng) if r.present else REFUSAL),)
            for r in requests
        )
        return self._sample(index, room, conversations, [r for r in requests if r.present])

    def validation_sample(self, index: int) -> Sample:
        """Ask the same requests every time, with the answer that the prompted mode supplies.

        The masks are one a request, also where nothing is there (then it is empty).

        Raises:
            DatasetError: the room is damaged; names the shard.
            NothingToAskError: nothing in it can be asked for without ambiguity.

        """
        room = self._room(index)
        requests = self._requests(index, room, np.random.default_rng([room.seed, 0]))
        conversations = tuple((Turn(self._question(r), SUPPLIED_ANSWER),) for r in requests)
        return self._sample(index, room, conversations, requests)

    def counts(self) -> Mapping[str, int]:
        """Rooms and their seeds, objects, those that can be seen well enough, kinds of these."""
        kinds: Counter[str] = Counter()
        objects = 0
        seeds = [self._rooms.seed(index) for index in self._kept]
        for index in self._kept:
            found = self._rooms.objects(index)
            objects += len(found)
            kinds.update(item.kind for item in found if item.is_target)
        return {
            "images": len(self),
            "objects": objects,
            "targets": kinds.total(),
            "kinds": len(kinds),
            "rooms without these": len(self._rooms) - len(self),
            "first_seed": min(seeds),
            "last_seed": max(seeds),
        }

    def problems(self) -> Iterator[Problem]:
        """Read every shard, with its checksums, and compare objects with their masks."""
        for path in shard_paths(self._folder):
            try:
                rooms = read_shard(path)
            except SimulationError as error:
                yield Problem("error", path, str(error))
                continue
            for place, room in enumerate(rooms):
                yield from _room_problems(Path(f"{path}#{place}"), room)

    def _room(self, index: int) -> Room:
        try:
            return self._rooms[self._kept[index]]
        except SimulationError as error:
            raise DatasetError(str(error)) from error

    def _requests(self, index: int, room: Room, rng: np.random.Generator) -> Sequence[Request]:
        drawn = draw_requests(
            room, rng, self._requests_per_image, self._phrasings, self._absent_share, self._kinds
        )
        if not drawn:
            raise NothingToAskError(f"Nothing to ask for in {self._where(index)}.")
        return drawn

    def _question(self, request: Request) -> str:
        return text_of(wrap_instruction(request.text, self._template))

    def _answer(self, rng: np.random.Generator) -> str:
        share = self._bare_answer_share
        if share is None:
            return accepting_answer(rng)
        return SUPPLIED_ANSWER if rng.random() < share else pick(_WORDED_ANSWERS, rng)

    def _sample(
        self,
        index: int,
        room: Room,
        conversations: tuple[tuple[Turn], ...],
        masked: Sequence[Request],
    ) -> Sample:
        masks: UInt8Array = np.zeros((len(masked), *room.instances.shape), np.uint8)
        for mask, request in zip(masks, masked, strict=True):
            mask[:] = room.mask(request.target_ids)
        taught = _taught(room, masked, self._kinds.without) if self._taught else None
        return Sample(self.name, self._where(index), conversations, masks, room.image, taught)

    def _where(self, index: int) -> Path:
        return Path(self._rooms.name(self._kept[index]))


def _taught(room: Room, masked: Sequence[Request], untold: frozenset[str]) -> Taught:
    """What a temporary head is taught; nothing of things of the kinds `untold`."""
    targets = [target_labels(room, r.target_ids[0]) for r in masked if r.present]
    shown = shown_labels(room).numpy()
    hidden = [item.id for item in room.objects if item.kind in untold]
    shown[:, np.isin(room.instances, hidden)] = 0
    return Taught(np.array(targets, np.int64).reshape(-1, 3), shown)


def _words(phrasings: str) -> Split:
    for split in SPLITS:
        if split == phrasings:
            return split
    raise ConfigurationError(
        f"Rooms are asked about in the words of {' or '.join(SPLITS)}, not of {phrasings!r}."
    )


def _room_problems(where: Path, room: Room) -> Iterator[Problem]:
    """What is wrong with a room that could be read."""
    for item in room.objects:
        pixels = int((room.instances == item.id).sum())
        if pixels != item.visible_px:
            yield Problem(
                "error",
                where,
                f"object {item.id} ({item.kind}) has {pixels} pixels, but is said to show "
                f"{item.visible_px}; generate the rooms again",
            )
    if not room.targets:
        yield Problem("warning", where, "shows nothing that can be asked for")
