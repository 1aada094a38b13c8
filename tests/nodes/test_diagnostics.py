"""What /diagnostics says of the camera: as the node will judge it when an instruction comes."""

from __future__ import annotations

import pytest

pytest.importorskip("diagnostic_msgs")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from lisa_ros.nodes.diagnostics import NodeState, Phase, diagnostics_message
from lisa_ros.nodes.frames import StreamState


def camera_status(ages_s: dict[str, float | None], frame_age_s: float | None) -> DiagnosticStatus:
    state = NodeState(
        phase=Phase.ACTIVE,
        problem="",
        model="fake",
        device="cpu",
        busy=False,
        last_answer=None,
        inputs={
            name: StreamState(f"/lisa/{name}", received=5, unmatched=0, age_s=age_s)
            for name, age_s in ages_s.items()
        },
        frame_age_s=frame_age_s,
        time_jumps=0,
        max_frame_age_s=1.0,
    )
    return diagnostics_message("/lisa/perception", state, Time()).status[1]


@pytest.mark.parametrize(
    ("depth_age_s", "frame_age_s", "message"),
    [
        (0.1, 0.1, "frames arrive"),
        (None, None, "no depth on /lisa/depth"),
        (3.0, 3.0, "depth on /lisa/depth is 3.0 s old"),
        (0.1, None, "no three stamps match"),
        (0.1, 7.0, "no three stamps match (sync_slop_s); the last that did are 7.0 s old"),
        (0.1, -7.0, "the last that did are -7.0 s old"),
    ],
)
def test_camera_is_well_only_if_frames_come_together(
    depth_age_s: float | None, frame_age_s: float | None, message: str
) -> None:
    ages_s = {"image": 0.1, "depth": depth_age_s, "camera_info": 0.1}
    status = camera_status(ages_s, frame_age_s)
    assert message in status.message
    well = message == "frames arrive"
    assert status.level == (DiagnosticStatus.OK if well else DiagnosticStatus.WARN)
    values = {value.key: value.value for value in status.values}
    assert values["frame age [s]"] == ("never" if frame_age_s is None else f"{frame_age_s:.3f}")
