"""`make demo`: a simulated camera, the perception node and a robot that asks, as three processes.

Says in plain words what happens, writes a picture, and ends with one line of JSON. The exit code is
0 if and only if the answer is right, or if the room cannot judge the instruction.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rclpy

from lisa_ros.errors import LisaError
from lisa_ros.geometry import lift_mask
from lisa_ros.nodes.child_processes import ChildProcesses, isolate_from_other_robots
from lisa_ros.nodes.demo_client import DemoClient, DemoError, Reply
from lisa_ros.nodes.demo_picture import draw_demo
from lisa_ros.nodes.images import color_from_message
from lisa_ros.simulation.language import judge
from lisa_ros.simulation.requests import default_request
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.types import BoolArray, Float64Array, Status, Target3D

MIN_IOU = 0.5
MAX_TARGET_ERROR_M = 0.03
_READY_TIMEOUT_S = 300.0
_ANSWER_TIMEOUT_S = 120.0
# What counts as an answer to an instruction that the room cannot judge.
_ANSWERS = frozenset({Status.FOUND, Status.NOT_FOUND, Status.NO_DEPTH, Status.REJECTED})

# A busy machine may keep the camera from publishing for seconds.
_PATIENCE = ("-p", "frame_wait_s:=30.0", "-p", "max_frame_age_s:=3.0")

CAMERA_COMMAND = ("-m", "lisa_ros.nodes.simulated_camera")
PERCEPTION_COMMAND = ("-m", "lisa_ros.nodes.perception")


@dataclass(frozen=True)
class Score:
    """An answer against the room's truth; None where there is nothing to compare.

    iou: of the masks. target_error_m: between the target point and the same statistic of the true
    mask on the true depth.
    """

    expected: str | None
    correct: bool | None
    iou: float | None = None
    target_error_m: float | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    options = _parse(arguments)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        isolate_from_other_robots()
        room = generate_room(options.seed)
        instruction = options.instruction or default_request(room)
        reply = ask_in_room(instruction, options.seed, options.model, options.output)
    except (DemoError, LisaError, OSError) as error:  # OSError names the file that is refused
        _say(f"\nThe demo failed. {error}")
        print(json.dumps({"status": None, "correct": False, "error": str(error)}))
        return 1
    score = score_reply(room, instruction, reply)
    picture = options.output / "demo.png"
    draw_demo(room, reply, _conclusion(reply, score)).save(picture)
    _tell(reply, score, picture)
    print(json.dumps(_summary(reply, score, picture)))
    answered = Status(reply.result.status) in _ANSWERS
    return 0 if score.correct or (score.expected is None and answered) else 1


def ask_in_room(
    instruction: str,
    seed: int,
    model: str,
    output: Path,
    perception_command: Sequence[str] = PERCEPTION_COMMAND,
) -> Reply:
    """Start camera and perception, ask, end both; DemoError when no answer comes.

    The processes' logs go to `output`. perception_command: what python runs as the node.
    """
    with ChildProcesses(output) as children:
        camera = [*CAMERA_COMMAND, "--ros-args", "-p", f"seed:={seed}"]
        perception = [*perception_command, "--ros-args", "-p", f"model:={model}", *_PATIENCE]
        _say(
            f"Process {children.start('camera', camera)}: a simulated RGB-D camera in room {seed}."
        )
        _say(f"Process {children.start('perception', perception)}: the perception node, {model}.")
        _say(f"Process {os.getpid()}: the robot, which waits for both to be ready ...")
        rclpy.init()
        client = DemoClient(children.ended)
        try:
            client.wait_until_ready(_READY_TIMEOUT_S)
            _say(f"\nThe robot is told, on /lisa/instruction:  {instruction}")
            return client.ask(instruction, _ANSWER_TIMEOUT_S)
        except DemoError:
            _say(children.log_tails())
            raise
        finally:
            client.destroy_node()
            rclpy.try_shutdown()


def score_reply(room: Room, instruction: str, reply: Reply) -> Score:
    """Compare a reply with the truth of its room."""
    verdict = judge(room, instruction)
    status = Status(reply.result.status)
    if verdict.expected is None:
        return Score(expected=None, correct=None)
    if verdict.expected is not Status.FOUND:
        return Score(verdict.expected.name, correct=status is verdict.expected)
    true_mask = np.isin(room.instances, verdict.target_ids)
    iou = _iou(_mask_of(reply, true_mask), true_mask)
    error_m = None
    if reply.target_point is not None:
        point = reply.target_point.point
        position = np.array([point.x, point.y, point.z])
        error_m = float(np.linalg.norm(position - _true_position(room, true_mask)))
    correct = status is Status.FOUND and iou >= MIN_IOU
    correct = correct and error_m is not None and error_m <= MAX_TARGET_ERROR_M
    return Score(verdict.expected.name, correct, iou, error_m)


def _mask_of(reply: Reply, true_mask: BoolArray) -> BoolArray:
    if reply.mask is None:
        return np.zeros_like(true_mask)
    labels: BoolArray = color_from_message(reply.mask)[:, :, 0] > 0
    return labels


def _iou(mask: BoolArray, other: BoolArray) -> float:
    union = int(np.count_nonzero(mask | other))
    return float(np.count_nonzero(mask & other) / union) if union else 0.0


def _true_position(room: Room, true_mask: BoolArray) -> Float64Array:
    target = lift_mask(true_mask, room.depth_m, room.intrinsics)
    if not isinstance(target, Target3D):
        raise DemoError(f"The room's truth has no position: {target.reason}.")
    return target.position


def _conclusion(reply: Reply, score: Score) -> str:
    status = Status(reply.result.status)
    if score.correct is None:
        return f"{status.name}; the room cannot judge this instruction"
    facts = [f"{status.name}, expected {score.expected}: {'right' if score.correct else 'WRONG'}"]
    if score.iou is not None:
        facts.append(f"IoU {score.iou:.2f}")
    if score.target_error_m is not None:
        facts.append(f"target off by {1e3 * score.target_error_m:.1f} mm")
    return ", ".join(facts)


def _tell(reply: Reply, score: Score, picture: Path) -> None:
    result = reply.result
    _say(f"It answers after {reply.latency_ms:.0f} ms:  {result.response or result.reason}")
    _say(f"  status   {Status(result.status).name}: {result.reason}")
    if reply.target_point is not None:
        point, frame = reply.target_point.point, reply.target_point.header.frame_id
        _say(f"  target   x {point.x:+.3f}  y {point.y:+.3f}  z {point.z:+.3f} m in {frame}")
    _say(f"  truth    {_conclusion(reply, score)}")
    _say(f"  picture  {picture}\n")


def _summary(reply: Reply, score: Score, picture: Path) -> dict[str, object]:
    result = reply.result
    facts = {
        "instruction": result.instruction,
        "response": result.response,
        "status": Status(result.status).name,
        **asdict(score),
        "seg_probability": float(result.seg_probability),
        "latency_ms": reply.latency_ms,
        "picture": str(picture),
    }
    return {
        name: round(value, 4) if isinstance(value, float) and math.isfinite(value) else value
        for name, value in facts.items()
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lisa-demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which room (default 1)")
    parser.add_argument(
        "--instruction",
        default=os.environ.get("INSTRUCTION", ""),
        help="what the robot is told (default: $INSTRUCTION, else something of the room)",
    )
    parser.add_argument("--model", default="lisa-tiny", help="checkpoint (default lisa-tiny)")
    parser.add_argument(
        "--output", type=Path, default=Path("out"), help="folder of picture and logs (default out)"
    )
    options = parser.parse_args(arguments)
    # A shell may hand over bytes that are no UTF-8, which a ROS string cannot hold.
    raw = os.fsencode(options.instruction)
    options.instruction = raw.decode("utf-8", errors="replace").strip()
    return options


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
