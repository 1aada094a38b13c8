"""Stores answers as samples, on a thread of its own: nobody waits for the disk. No ROS.

On request, or by itself those that a lab learns most from: where nothing was found, and where the
model was not sure.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from lisa_ros.errors import DatasetError, LisaError
from lisa_ros.nodes.answered_sample import CameraPose, answered_sample
from lisa_ros.nodes.answers import Answer
from lisa_ros.recordings.collection import SampleCollection
from lisa_ros.types import Status

_LOG = logging.getLogger(__name__)
# Each holds an image and its depth.
_MOST_WAITING = 4
_TOO_MANY = f"{_MOST_WAITING} samples wait for the disk already; try again later."
_CLOSED = "The node is shutting down; nothing more is stored."
_NO_FOLDER = "The parameter samples_dir is empty: set it to the folder that samples go to."


@dataclass(frozen=True)
class SavingRules:
    """What the node's parameters say about saving.

    folder: None where nothing can be saved. automatically: whether answers are saved by themselves,
    which is if they found nothing, or if they are less confident than `sure_from`; at most one in
    interval_s, and none once the folder holds most_samples.
    """

    folder: Path | None
    automatically: bool
    sure_from: float
    interval_s: float
    most_samples: int


@dataclass(frozen=True)
class SaverState:
    """What was stored since the start, and what kept the last one that failed from being stored."""

    stored: int
    failed: int
    problem: str


@dataclass(frozen=True)
class _Job:
    answer: Answer
    model: str
    pose: CameraPose | None
    folder: Path
    occasion: str
    note: str
    most_samples: int | None
    future: Future[str]


class SampleSaver:
    """Stores samples one at a time. session: a name for the bags of this run, nobody else's."""

    def __init__(self, session: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock_s = clock_s
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_MOST_WAITING)
        self._collections: dict[Path, SampleCollection] = {}
        self._last_automatic_s: float | None = None
        self._handing_over = threading.Lock()
        self._closed = False
        self._state = SaverState(stored=0, failed=0, problem="")
        # A daemon, because a disk that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._loop, name="samples", daemon=True)
        self._thread.start()

    @property
    def state(self) -> SaverState:
        """What has become of it so far."""
        return self._state

    def save(
        self, answer: Answer, rules: SavingRules, *, model: str, pose: CameraPose | None, note: str
    ) -> Future[str]:
        """Store an answer because somebody asks for it; the future is the sample's path, no suffix.

        It raises DatasetError, or InstructionError, with the reason why nothing was stored.
        """
        return self._hand_over(answer, rules, model, pose, "requested", note, None)

    def consider(
        self, answer: Answer, rules: SavingRules, *, model: str, pose: CameraPose | None
    ) -> Future[str] | None:
        """Store an answer if the rules say so; return None if they do not."""
        occasion = worth_saving(answer, rules)
        now_s = self._clock_s()
        last_s = self._last_automatic_s
        if not occasion or (last_s is not None and now_s - last_s < rules.interval_s):
            return None
        self._last_automatic_s = now_s
        return self._hand_over(answer, rules, model, pose, occasion, "", rules.most_samples)

    def close(self, timeout_s: float) -> bool:
        """Store what waits and end the thread; return whether it ended within `timeout_s`.

        What comes later is not stored, and its future says so.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._handing_over:
            self._closed = True
        try:
            self._jobs.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(max(deadline_s - time.monotonic(), 0.0))
        return not self._thread.is_alive()

    def _hand_over(
        self,
        answer: Answer,
        rules: SavingRules,
        model: str,
        pose: CameraPose | None,
        occasion: str,
        note: str,
        most_samples: int | None,
    ) -> Future[str]:
        future: Future[str] = Future()
        if rules.folder is None:
            future.set_exception(DatasetError(_NO_FOLDER))
            return future
        job = _Job(answer, model, pose, rules.folder, occasion, note, most_samples, future)
        with self._handing_over:
            if self._closed:
                future.set_exception(DatasetError(_CLOSED))
            elif self._jobs.full():
                future.set_exception(DatasetError(_TOO_MANY))
            else:
                self._jobs.put_nowait(job)
        return future

    def _loop(self) -> None:
        while self._store_next():
            pass  # and nothing of the last one is kept while the next is waited for

    def _store_next(self) -> bool:
        """Wait for a job and do it; return False for the end."""
        job = self._jobs.get()
        if job is None:
            return False
        try:
            stored = self._store(job)
        except (LisaError, OSError) as error:
            self._failed(job, error)
        except Exception as error:  # one bad sample must not end the thread
            _LOG.exception("storing a sample failed")
            self._failed(job, DatasetError(f"Unexpected {type(error).__name__}: {error}"))
        else:
            state = self._state
            self._state = SaverState(state.stored + 1, state.failed, "")
            job.future.set_result(stored)
        return True

    def _store(self, job: _Job) -> str:
        collection = self._collections.setdefault(
            job.folder, SampleCollection(job.folder, self._session)
        )
        if job.most_samples is not None and collection.count() >= job.most_samples:
            raise DatasetError(
                f"{job.folder} holds {job.most_samples} samples or more (max_samples), so none is "
                "saved automatically. Review them, then name another folder or raise max_samples."
            )
        sample = answered_sample(
            job.answer, model=job.model, occasion=job.occasion, note=job.note, pose=job.pose
        )
        return str(job.folder / "samples" / collection.add(sample))

    def _failed(self, job: _Job, error: Exception) -> None:
        self._state = SaverState(self._state.stored, self._state.failed + 1, str(error))
        job.future.set_exception(error)


def worth_saving(answer: Answer, rules: SavingRules) -> str:
    """Return why an answer is to be saved without being asked for; empty if it is not."""
    segmentation = answer.segmentation
    if not rules.automatically or rules.folder is None or segmentation is None or answer.followed:
        return ""
    if answer.status is Status.NOT_FOUND:
        return "not found"
    confidence = segmentation.confidence
    if confidence is None:  # nobody measured it
        confidence = segmentation.seg_probability
    found = answer.status in (Status.FOUND, Status.NO_DEPTH)
    return "low confidence" if found and confidence < rules.sure_from else ""
