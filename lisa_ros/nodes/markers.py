"""What RViz shows of an answer: markers for each located target."""

from __future__ import annotations

from geometry_msgs.msg import Pose
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from lisa_ros.nodes.answers import Answer, quoted
from lisa_ros.nodes.conversions import located, target_header, target_message
from lisa_ros.nodes.drawing import target_color

_POINT_DIAMETER_M = 0.02
_TEXT_HEIGHT_M = 0.03


def marker_array(answer: Answer) -> MarkerArray:
    """Return a sphere, the box and a line of text (id, words, coordinates) of each located target.

    The markers of older answers go.
    """
    markers = [Marker(header=target_header(answer), action=Marker.DELETEALL)]
    for found, lifted in located(answer):
        message = target_message(found)
        red, green, blue = (channel / 255.0 for channel in target_color(found.target_id))
        common = {"header": target_header(answer), "id": found.target_id, "action": Marker.ADD}
        point = Marker(ns="position", type=Marker.SPHERE, **common)
        point.pose = Pose(position=message.position)
        point.scale.x = point.scale.y = point.scale.z = _POINT_DIAMETER_M
        point.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        box = Marker(ns="box", type=Marker.CUBE, **common)
        box.pose, box.scale = message.box_pose, message.box_size
        box.color = ColorRGBA(r=red, g=green, b=blue, a=0.3)
        text = Marker(ns="text", type=Marker.TEXT_VIEW_FACING, **common)
        text.pose = Pose(position=message.position)
        text.scale.z = _TEXT_HEIGHT_M
        text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        x, y, z = lifted.position
        words = quoted(found.label or answer.instruction)
        text.text = f"{found.target_id}: {words} ({x:.3f}, {y:.3f}, {z:.3f}) m"
        markers += [point, box, text]
    return MarkerArray(markers=markers)


def cleared_markers() -> MarkerArray:
    """Return what removes every marker."""
    return MarkerArray(markers=[Marker(action=Marker.DELETEALL)])
