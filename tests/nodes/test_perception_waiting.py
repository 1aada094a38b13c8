"""How the node waits for the model's thread, without a node."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lisa_ros.errors import ConfigurationError
from lisa_ros.nodes.perception import PerceptionNode

WAIT_S = 30.0


def wait_for(future: Future[None], ok: bool = True) -> None:
    """Let a node whose process goes on, or not, wait on another thread; give up if it hangs."""
    node = SimpleNamespace(context=SimpleNamespace(ok=lambda: ok and not given_up.is_set()))
    given_up = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(PerceptionNode._wait_for, node, future)
        try:
            waiting.result(WAIT_S)
        except TimeoutError:
            given_up.set()
            pytest.fail("it waits for ever")


def test_finished_task_ends_the_wait() -> None:
    future: Future[None] = Future()
    future.set_result(None)
    wait_for(future)


def test_failed_task_is_raised() -> None:
    future: Future[None] = Future()
    future.set_exception(ValueError("broken weights"))
    with pytest.raises(ValueError, match="broken weights"):
        wait_for(future)


def test_canceled_task_ends_the_wait() -> None:
    future: Future[None] = Future()
    future.cancel()
    with pytest.raises(ConfigurationError, match="the process ends"):
        wait_for(future)


def test_end_of_the_process_ends_the_wait() -> None:
    with pytest.raises(ConfigurationError, match="the process ends"):
        wait_for(Future(), ok=False)
