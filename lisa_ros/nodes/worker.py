"""The one thread that owns the model: callbacks hand it work and return at once.

Policy "replace": a newer request stops the running one (it is answered CANCELED) and takes the
place of one that waits. Loading and unloading a model are tasks on the same thread, so that nothing
else ever touches the device.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from lisa_ros.errors import LisaError
from lisa_ros.nodes.answers import Answer, Request, quoted, unanswered
from lisa_ros.types import Status

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")


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
        self._waiting: Request | None = None
        self._closed = False
        # A daemon, because a call into the model that does not return must not keep the process
        # alive.
        self._thread = threading.Thread(target=self._loop, name="model", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered or waits."""
        with self._changed:
            return self._running is not None or self._waiting is not None

    def submit(self, request: Request) -> None:
        """Hand in a request; it replaces the one that runs and the one that waits."""
        reason = f"Replaced by a newer instruction: {quoted(request.instruction)}."
        with self._changed:
            if self._closed:
                replaced, refused = None, request
            else:
                replaced, refused = self._waiting, None
                self._waiting = request
                if self._running is not None:
                    self._running.stop_signal.stop(Status.CANCELED, reason)
                self._changed.notify()
        if replaced is not None:
            _deliver(replaced, unanswered(replaced, Status.CANCELED, reason))
        if refused is not None:
            _deliver(refused, unanswered(refused, Status.REJECTED, "The node is shutting down."))

    def stop_requests(self, reason: str) -> None:
        """Cancel what runs and what waits; each is answered CANCELED with `reason`."""
        with self._changed:
            waiting, self._waiting = self._waiting, None
            if self._running is not None:
                self._running.stop_signal.stop(Status.CANCELED, reason)
        if waiting is not None:
            _deliver(waiting, unanswered(waiting, Status.CANCELED, reason))

    def run(self, task: Callable[[], _Result]) -> Future[_Result]:
        """Run a task on the model's thread, before any request that waits; return its future."""
        future: Future[_Result] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
            else:
                self._tasks.append((task, future))
                self._changed.notify()
        return future

    def close(self, timeout_s: float) -> bool:
        """Cancel everything and end the thread; return whether it ended within `timeout_s`."""
        self.stop_requests("The node is shutting down.")
        with self._changed:
            self._closed = True
            for _, future in self._tasks:
                future.cancel()
            self._tasks.clear()
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._tasks or self._waiting)
                if self._closed:
                    return
                task = self._tasks.popleft() if self._tasks else None
                if task is None:
                    self._running, self._waiting = self._waiting, None
                request = self._running
            if task is not None:
                _run_task(*task)
            elif request is not None:
                answer = self._answer_whatever_happens(request)
                with self._changed:
                    self._running = None
                _deliver(request, answer)

    def _answer_whatever_happens(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except Exception as error:  # one request must not end the model's only thread
            _LOG.exception("answering %s failed", quoted(request.instruction))
            reason = f"Unexpected {type(error).__name__}: {error}"
            return unanswered(request, Status.ERROR, reason, LisaError.code)


def _run_task(task: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(task())
    except BaseException as error:  # the thread that waits for the future raises it again
        future.set_exception(error)


def _deliver(request: Request, answer: Answer) -> None:
    try:
        request.on_answer(answer)
    except Exception:  # one client that cannot be answered must not end the model's thread
        _LOG.exception("the answer to %r could not be delivered", request.instruction)
