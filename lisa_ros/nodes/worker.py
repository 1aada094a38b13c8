"""The one thread that owns the model: callbacks hand it work and return at once.

A policy says what a new request does to those before it: it replaces them, waits behind them, or is
refused. Loading and unloading a model are tasks on the same thread, so that nothing else ever
touches the device.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from lisa_ros.nodes.answers import Answer, Policy, Request, quoted, unanswered
from lisa_ros.nodes.reasons import failed
from lisa_ros.types import Status

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")
# How late a cancel or a time-out is seen of a request that waits behind another.
_QUEUE_POLL_S = 0.05
_CLOSED = "The node is shutting down."


class ModelWorker:
    """Runs tasks and answers requests, one at a time, on its own thread.

    answer: called on that thread for each request; what it raises becomes an answer with ERROR.
    Every request that is handed in gets exactly one call of its `on_answer`.
    """

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self._changed = threading.Condition()
        self._tasks: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._running: Request | None = None
        self._waiting: deque[Request] = deque()
        self._closed = False
        # Daemons, because a call into the model that does not return must not keep the process
        # alive.
        self._thread = threading.Thread(target=self._loop, name="model", daemon=True)
        self._watch = threading.Thread(target=self._watch_queue, name="queue", daemon=True)
        self._thread.start()
        self._watch.start()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered or waits."""
        with self._changed:
            return self._running is not None or bool(self._waiting)

    @property
    def is_wanted(self) -> bool:
        """Whether a task that can wait should make way: for others, or for the end."""
        with self._changed:
            return self._closed or bool(self._tasks) or bool(self._waiting)

    @property
    def waiting_count(self) -> int:
        """How many requests wait behind the one that is being answered."""
        with self._changed:
            return len(self._waiting)

    def submit(self, request: Request, policy: Policy, queue_size: int) -> None:
        """Hand in a request, one at a time; queue_size: how many may wait under the policy QUEUE.

        REPLACE: what runs and what waits is answered CANCELED, the latter before the request can
        start. QUEUE: the request waits for its turn, or is answered REJECTED when too many do.
        REJECT: it is answered REJECTED unless it can start at once.
        """
        if policy is Policy.REPLACE:
            newer = quoted(request.instruction)
            self.stop_requests(f"Replaced by a newer instruction: {newer}.")
        with self._changed:
            refusal = self._refusal(policy, queue_size)
            if not refusal:
                self._waiting.append(request)
                self._changed.notify_all()
        if refusal:
            _deliver_all([request], Status.REJECTED, refusal)

    def stop_requests(self, reason: str) -> None:
        """Cancel what runs and what waits; each is answered CANCELED with `reason`."""
        with self._changed:
            waiting = self._stop_all(reason)
        _deliver_all(waiting, Status.CANCELED, reason)

    def run(self, task: Callable[[], _Result]) -> Future[_Result]:
        """Run a task on the model's thread, before any request that waits; return its future."""
        future: Future[_Result] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
            else:
                self._tasks.append((task, future))
                self._changed.notify_all()
        return future

    def close(self, timeout_s: float) -> bool:
        """Cancel everything and end the thread; return whether it ended within `timeout_s`."""
        with self._changed:
            self._closed = True
            waiting = self._stop_all(_CLOSED)
            for _, future in self._tasks:
                future.cancel()
            self._tasks.clear()
            self._changed.notify_all()
        _deliver_all(waiting, Status.CANCELED, _CLOSED)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _refusal(self, policy: Policy, queue_size: int) -> str:
        """Return why a request cannot be taken now, empty if it can; with the lock held."""
        if self._closed:
            return _CLOSED
        ahead = self._running or (self._waiting[0] if self._waiting else None)
        n_behind = len(self._waiting) - (self._running is None)  # behind the first, if there is one
        if policy is Policy.QUEUE and n_behind >= queue_size:
            return f"{n_behind} instructions wait already; queue_size allows {queue_size}."
        if policy is Policy.REJECT and ahead is not None:
            return f"Busy with {quoted(ahead.instruction)}, and the policy is reject."
        return ""

    def _stop_all(self, reason: str) -> list[Request]:
        """Stop what runs and return what waited, for its answers; with the lock held."""
        if self._running is not None:
            self._running.stop_signal.stop(Status.CANCELED, reason)
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._tasks or self._waiting)
                if self._closed:
                    return
                task = self._tasks.popleft() if self._tasks else None
                if task is None:
                    self._running = self._waiting.popleft()
                request = self._running
            if task is not None:
                _run_task(*task)
            elif request is not None:
                self._serve(request)

    def _serve(self, request: Request) -> None:
        answer = self._answer_whatever_happens(request)
        with self._changed:
            self._running = None
        _deliver(request, answer)

    def _answer_whatever_happens(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except Exception as error:  # one request must not end the model's only thread
            _LOG.exception("answering %s failed", quoted(request.instruction))
            return unanswered(request, *failed(error))

    def _watch_queue(self) -> None:
        """Answer what is canceled, or runs out of time, while it waits behind another request."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                stopped = [
                    (request, cause)
                    for request in self._waiting
                    if (cause := request.stop_signal.cause()) is not None
                ]
                for request, _ in stopped:
                    self._waiting.remove(request)
                if not stopped:
                    self._changed.wait(_QUEUE_POLL_S)
            for request, (status, reason) in stopped:
                _deliver(request, unanswered(request, status, reason))


def _run_task(task: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(task())
    except BaseException as error:  # the thread that waits for the future raises it again
        future.set_exception(error)


def _deliver_all(requests: list[Request], status: Status, reason: str) -> None:
    for request in requests:
        _deliver(request, unanswered(request, status, reason))


def _deliver(request: Request, answer: Answer) -> None:
    try:
        request.on_answer(answer)
    except Exception:  # one client that cannot be answered must not end the model's thread
        _LOG.exception("the answer to %r could not be delivered", request.instruction)
