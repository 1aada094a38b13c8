"""Camera and robot on one host, perception on another; the link delays 10 ms and loses 1 %.

The hosts are network namespaces (lossy_link.py), so this needs root. Run with -s to see the figures
of both transports.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from distant_robot import DOMAIN_ID
from lossy_link import Host, LinkError, lossy_link
from node_process import REPOSITORY, node_environment

pytestmark = [pytest.mark.ros, pytest.mark.slow]

HERE = Path(__file__).parent
DELAY_S, LOSS = 0.010, 0.01


def environment(tmp_path: Path) -> dict[str, str]:
    return node_environment(tmp_path) | {
        "ROS_DOMAIN_ID": str(DOMAIN_ID),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        # /dev/shm is shared by the namespaces, as it would not be by two machines.
        "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4",
    }


def start(host: Host, tmp_path: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        host.command(sys.executable, *command),
        cwd=REPOSITORY,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ask_over_the_link(transport: str, questions: int, tmp_path: Path) -> dict[str, Any]:
    """Answers and traffic of so many sentences, one after the other."""
    with lossy_link(DELAY_S, LOSS) as (robot_host, perception_host, traffic):
        options = ("--ros-args", "-p", f"image_transport:={transport}")
        nodes = [
            start(robot_host, tmp_path, "-m", "lisa_ros.nodes.simulated_camera", *options),
            start(
                perception_host, tmp_path, str(HERE / "fake_perception.py"),
                *options, "-p", "model:=fake", "-p", "frame_wait_s:=5.0",
            ),
        ]  # fmt: skip
        robot = start(robot_host, tmp_path, str(HERE / "distant_robot.py"), str(questions))
        try:
            said, _ = robot.communicate(timeout=180)
        finally:
            robot.kill()
            for node in nodes:
                node.send_signal(signal.SIGINT)
            logs = [node.communicate(timeout=60)[0] for node in nodes]
        assert robot.returncode == 0, said + "".join(logs)
        figures: dict[str, Any] = json.loads(said.splitlines()[-1])
        lost = traffic.lost / (traffic.lost + traffic.carried)
        assert lost == pytest.approx(LOSS, rel=0.5)
        return figures | {"link_mb": traffic.carried_bytes / 1e6, "lost": lost}


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.parametrize(
    ("transport", "questions", "kept"), [("compressed", 40, 38), ("raw", 10, 0)]
)
def test_answers_survive_a_lossy_link(
    transport: str, questions: int, kept: int, tmp_path: Path
) -> None:
    try:
        figures = ask_over_the_link(transport, questions, tmp_path)
    except LinkError as error:
        pytest.skip(str(error))
    print(f"\n{transport}: {figures}")
    assert figures["asked"] == questions
    assert figures["answered"] >= kept
