"""Rubbish from all sides for a while: the node answers or says why, keeps its memory, ends clean.

`--soak-minutes 60` makes the while an hour, as before a release.
"""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
from hostile_camera import HostileCamera
from node_process import DOMAIN_ID, FAKE_PERCEPTION, StartNode
from robot_client import RobotClient, wait_until

from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FRAME_PERIOD_S = 0.02
RESTARTS = 50
BURST = 2_000
# What an allocator keeps for itself; a leak of one 80x60 frame in a hundred would exceed it in an
# hour.
GROWTH_MB = 64


def instructions(dice: random.Random) -> str:
    return dice.choice(
        (
            "red box",
            "blue box",
            "a" * 5000,
            "\x00\x01\x02",
            "[SEG] <image> </s>",
            "日本語のお願い",
            " \t\n ",
            "crash",
            "".join(chr(dice.randrange(1, 0xD7FF)) for _ in range(40)),
        )
    )


def memory_mb(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def soak(robot: RobotClient, camera: HostileCamera, dice: random.Random, seconds: float) -> None:
    """Frames at 50 Hz, an instruction every few, a restart now and then, for `seconds`."""
    end_s = time.monotonic() + seconds
    restart_s = seconds / RESTARTS
    next_restart_s = time.monotonic() + restart_s
    while time.monotonic() < end_s:
        camera.publish()
        if dice.random() < 0.1:
            robot.publish(instructions(dice))
        if dice.random() < 0.02:
            robot.publish_raw(bytes(dice.randrange(256) for _ in range(dice.randrange(64))))
        if time.monotonic() > next_restart_s:
            camera.restart()
            next_restart_s += restart_s
        for messages in robot.received.values():
            del messages[:-200]
        time.sleep(FRAME_PERIOD_S)


def test_rubbish_costs_neither_memory_nor_answers(
    request: pytest.FixtureRequest, robot: RobotClient, start_node: StartNode
) -> None:
    dice = random.Random(DOMAIN_ID)
    node = start_node("soaked", FAKE_PERCEPTION, model="fake", frame_wait_s=0.2)
    robot.wait_for_node()
    wait_until(lambda: robot.state() == "active", "the node to be active")
    camera = HostileCamera(robot.node, dice)
    minutes = float(request.config.getoption("--soak-minutes"))
    soak(robot, camera, dice, 10.0)  # caches fill
    before_mb = memory_mb(node.process_id)
    soak(robot, camera, dice, 60 * minutes)
    for number in range(BURST):
        robot.publish(f"blue box {number}")
    after = robot.wait_for_result(f"blue box {BURST - 1}", 0)
    assert after.status in (Status.NOT_FOUND, Status.STALE_INPUT)
    grown_mb = memory_mb(node.process_id) - before_mb
    print(f"\n{minutes:g} min, {camera.restarts} camera starts: {grown_mb:+.1f} MB")
    assert grown_mb < GROWTH_MB

    def is_found() -> bool:
        camera.publish_good()
        return robot.ask("red box").status == Status.FOUND

    wait_until(is_found, "a good frame to be answered again")
    assert node.is_running(), node.log
    assert node.end(signal.SIGINT) == 0
