"""The parameters on the node: declared, checked when somebody sets them, read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.node import Node
from rclpy.parameter import Parameter

from lisa_ros.nodes import parameter_rules as rules
from lisa_ros.nodes.parameter_declaration import Change
from lisa_ros.nodes.parameters import PerceptionParameters, specifications


class NodeParameters:
    """Declares every parameter on a node, at once; an override that cannot be is rclpy's exception.

    is_configured: whether the node is past the time when every parameter may change.
    """

    def __init__(self, node: Node, is_configured: Callable[[], bool]) -> None:
        self._node = node
        self._is_configured = is_configured
        node.add_pre_set_parameters_callback(self._refuse_undeclared)
        node.add_on_set_parameters_callback(self._check)
        for name, spec in specifications().items():
            node.declare_parameter(name, spec.default, ParameterDescriptor(**_descriptor(spec)))
        self._keeping = threading.Lock()
        self._values = rules.changed(PerceptionParameters(), self._read(specifications()))
        node.add_post_set_parameters_callback(self._keep)
        self._warn_of_unknown()

    def now(self) -> PerceptionParameters:
        """Return the present values; of what was set at one time, all or nothing."""
        return self._values

    def _keep(self, parameters: Sequence[Parameter]) -> None:
        """Take over what was set; rclpy itself stores one value after the other."""
        with self._keeping:  # parameter services and `follow` have threads of their own
            self._values = rules.changed(self._values, self._read(p.name for p in parameters))

    def _read(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self._node.get_parameter(name).value for name in names}

    def _refuse_undeclared(self, parameters: list[Parameter]) -> list[Parameter]:
        """Raise for names that nobody declared; rclpy would, but loses the names on the way."""
        strange = [p.name for p in parameters if not self._node.has_parameter(p.name)]
        if strange:
            likely = rules.unknown(strange)
            raise ParameterNotDeclaredException(
                [f"{name}{_hint(likely.get(name, ''))}" for name in strange]
            )
        return parameters

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        reason = self._refusal({p.name: p.value for p in parameters})
        return SetParametersResult(successful=not reason, reason=reason)

    def _refusal(self, values: Mapping[str, Any]) -> str:
        configured = self._is_configured()
        for name, value in values.items():
            if value is None and self._node.has_parameter(name):
                return f"{name} cannot be deleted"
            reason = rules.refusal(name, value, configured=configured)
            if reason is not None:
                return reason
        if not configured:
            return ""  # configuring looks at them together; until then they come one by one
        return rules.conflict(rules.changed(self.now(), values)) or ""

    def _warn_of_unknown(self) -> None:
        # rclpy has no public name for what a file or the command line gave.
        for name, likely in rules.unknown(self._node._parameter_overrides).items():
            self._node.get_logger().warning(f"this node has no parameter {name!r}{_hint(likely)}")


def _hint(likely: str) -> str:
    return f"; is it {likely}?" if likely else ""


def _descriptor(spec: Field[Any]) -> dict[str, Any]:
    facts = spec.metadata
    unit = f" [{facts['unit']}]" if facts["unit"] else ""
    descriptor: dict[str, Any] = {
        "description": f"{facts['description']}{unit}",
        # With a fixed type rclpy answers a request for many parameters, as `ros2 param dump` makes
        # it, with none at all while one of them is not set.
        "dynamic_typing": spec.default is None,
        "read_only": facts["change"] is Change.AT_START,
        "additional_constraints": f"May change {facts['change'].value}."
        + (f" One of {', '.join(map(repr, facts['choices']))}." if facts["choices"] else ""),
    }
    if facts["minimum"] is not None and isinstance(spec.default, int):
        descriptor["integer_range"] = [
            IntegerRange(from_value=facts["minimum"], to_value=facts["maximum"], step=0)
        ]
    elif facts["minimum"] is not None:
        descriptor["floating_point_range"] = [
            FloatingPointRange(from_value=facts["minimum"], to_value=facts["maximum"], step=0.0)
        ]
    return descriptor
