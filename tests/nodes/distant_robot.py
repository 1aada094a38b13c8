"""A robot on another host, as a process: asks one sentence after the other, prints what came back.

python distant_robot.py COUNT → one line of JSON: asked, answered (by an answer about the image),
statuses, median_s.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from lisa_ros.msg import Perception
from robot_client import RobotClient, wait_until

from lisa_ros.nodes.answers import ABOUT_THE_IMAGE

DOMAIN_ID = 42  # the namespaces keep others out
WAIT_S = 10.0
# Long enough for the next question to need another frame.
PAUSE_S = 0.25


def main() -> None:
    """Ask as many sentences as the command line says."""
    robot = RobotClient(DOMAIN_ID)
    robot.wait_for_node()
    wait_until(lambda: _is_ready(robot), "the node to be ready")
    answers: list[tuple[int, float]] = []
    count = int(sys.argv[1])
    for number in range(count):
        time.sleep(PAUSE_S)
        answer = _ask(robot, f"red box {number}")
        if answer is not None:
            answers.append(answer)
    good = [seconds for status, seconds in answers if status in ABOUT_THE_IMAGE]
    print(
        json.dumps(
            {
                "asked": count,
                "answered": len(good),
                "statuses": sorted(status for status, _ in answers),
                "median_s": statistics.median(good) if good else None,
            }
        )
    )
    robot.close()


def _is_ready(robot: RobotClient) -> bool:
    """By diagnostics: a service's answer may be lost before both sides know each other."""
    told = [status.message for array in robot.received["/diagnostics"] for status in array.status]
    return "waiting for an instruction" in told


def _ask(robot: RobotClient, sentence: str) -> tuple[int, float] | None:
    results: list[Perception] = robot.received["result"]
    asked_s = time.monotonic()
    robot.publish(sentence)
    while time.monotonic() < asked_s + WAIT_S:
        for result in results:
            if result.instruction == sentence:
                return int(result.status), time.monotonic() - asked_s
        time.sleep(0.005)
    return None


if __name__ == "__main__":
    main()
