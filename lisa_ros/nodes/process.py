"""Run one node as a process: SIGINT and SIGTERM end it with 0, a failing callback does not."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, Protocol

import rclpy
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.signals import uninstall_signal_handlers

from lisa_ros.errors import LisaError

# Whoever started the node can change these; a traceback would not help them.
_CANNOT_START = (LisaError, InvalidParameterTypeException, InvalidParameterValueException)


class RunnableNode(Protocol):
    """An rclpy node that knows how to end its own threads."""

    def get_logger(self) -> Any:
        """As rclpy's."""
        ...

    def destroy_node(self) -> None:
        """As rclpy's."""
        ...

    def close(self) -> bool:
        """Stop all work; return False when a thread is stuck in an uninterruptible call."""
        ...


def run_node(
    make_node: Callable[[], RunnableNode], num_threads: int, args: Sequence[str] | None = None
) -> int:
    """Spin a node until a signal ends it; return 0, or 2 when it cannot start as it was told to."""
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, partial(_interrupt, interrupted))
    rclpy.init(args=args)
    node: RunnableNode | None = None
    executor = MultiThreadedExecutor(num_threads)
    stuck = False
    try:
        node = make_node()
        executor.add_node(node)
        _spin(executor, node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception as error:
        # A signal came while the node was being made, and something there stumbled over it.
        if rclpy.ok() and not interrupted.is_set():
            if not isinstance(error, _CANNOT_START):
                raise
            print(f"The node cannot start: {error}", file=sys.stderr)
            return 2
    finally:
        _ignore_signals()
        stuck = node is not None and not node.close()
        executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    if stuck:
        # The interpreter cannot end while a library call holds the thread; everything else is done.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _interrupt(interrupted: threading.Event, number: int, frame: FrameType | None) -> None:
    """Do as Python does by default, and remember it: libraries turn the exception into others."""
    interrupted.set()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Let nothing interrupt the way out: an impatient Ctrl-C, or the terminal's beside launch's."""
    uninstall_signal_handlers()  # else rclpy would put the old ones back when it shuts down
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _spin(executor: MultiThreadedExecutor, node: RunnableNode) -> None:
    while rclpy.ok():
        try:
            executor.spin()
        except ExternalShutdownException:
            return
        except InvalidHandle:
            continue  # a transition destroyed a subscription that rclpy was about to wait for
        except (
            Exception
        ) as error:  # rclpy raises what a callback raised, bad service requests among it
            if rclpy.ok():
                node.get_logger().error(f"a callback failed: {type(error).__name__}: {error}")
