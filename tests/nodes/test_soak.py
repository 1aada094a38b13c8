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
from lisa_ros.action import Reason
from node_process import DOMAIN_ID, FAKE_PERCEPTION, StartNode
from robot_client import RobotClient, wait_until

from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FRAME_PERIOD_S = 0.02
RESTARTS = 50
# An hour's soak ends with a burst of 1e5, as a client gone wild would send them.
BURST_PER_MINUTE, LEAST_BURST, LARGEST_BURST = 5_000, 1_000, 100_000
GOALS = 100
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


def burst(robot: RobotClient, count: int) -> None:
    """As fast as they can be sent; under the policy replace the last one must be answered.

    The last frame may be a broken one.
    """
    for number in range(count):
        robot.publish(f"blue box {number}")
        for messages in robot.received.values():
            del messages[:-200]
    after = robot.wait_for_result(f"blue box {count - 1}", 0)
    assert after.status in (Status.NOT_FOUND, Status.STALE_INPUT, Status.ERROR), after.reason


def every_goal_gets_its_own_result(robot: RobotClient) -> None:
    instructions = [f"blue box for goal {number}" for number in range(GOALS)]
    handles = [robot.send_goal(Reason.Goal(instruction=text)) for text in instructions]
    assert all(handle.accepted for handle in handles)
    perceptions = [robot.goal_result(handle).result.perception for handle in handles]
    assert [perception.instruction for perception in perceptions] == instructions
    statuses = {perception.status for perception in perceptions}
    assert statuses <= {Status.CANCELED, Status.NOT_FOUND, Status.STALE_INPUT, Status.ERROR}


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
    burst(robot, min(max(LEAST_BURST, round(minutes * BURST_PER_MINUTE)), LARGEST_BURST))
    every_goal_gets_its_own_result(robot)
    grown_mb = memory_mb(node.process_id) - before_mb
    print(f"\n{minutes:g} min, {camera.restarts} camera starts: {grown_mb:+.1f} MB")
    assert grown_mb < GROWTH_MB

    def is_found() -> bool:
        camera.publish_good()
        return robot.ask("red box").status == Status.FOUND

    wait_until(is_found, "a good frame to be answered again")
    assert node.is_running(), node.log
    assert node.end(signal.SIGINT) == 0
