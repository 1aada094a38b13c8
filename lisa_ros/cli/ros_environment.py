"""What the environment variables of ROS 2 say about whom a node will find, and who finds it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from lisa_ros.cli.versions import installed_version
from lisa_ros.diagnosis import Diagnosis, broken, ok, warning

_RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
_MOST_DOMAIN = 232
# From this domain on, DDS's ports are among those that Linux gives to any program.
_FIRST_EPHEMERAL, _LAST_EPHEMERAL = 102, 214
_FILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# Of interest to who compares two machines.
_SHOWN = (
    "ROS_DISTRO",
    "ROS_DOMAIN_ID",
    "RMW_IMPLEMENTATION",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_STATIC_PEERS",
    "ROS_LOCALHOST_ONLY",
    "ROS_DISCOVERY_SERVER",
    "FASTDDS_BUILTIN_TRANSPORTS",
    *_FILES,
)


def check(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Say what of an environment keeps nodes from starting, or from finding each other."""
    yield domain(environment.get("ROS_DOMAIN_ID", ""))
    yield from discovery(environment)
    for name in _FILES:
        file = environment.get(name, "")
        if file and not Path(file).is_file():
            yield warning("DDS", f"{name} is {file}, which is no file", f"unset {name}, or fix it.")
    yield from _log_folder(environment)
    if environment.get("ROS_DISTRO") and installed_version("ros-rclpy") is not None:
        yield warning(
            "ROS 2",
            f"there are two: {environment['ROS_DISTRO']} of this shell, and the wheels of PyPI "
            "in this Python",
            "Use a shell that has no setup.bash sourced, or build for your ROS 2: `make ros`.",
        )


def domain(value: str) -> Diagnosis:
    """Judge ROS_DOMAIN_ID; empty means 0."""
    number = int(value) if value.isascii() and value.isdigit() else (-1 if value else 0)
    if not 0 <= number <= _MOST_DOMAIN:
        return broken(
            "DDS domain", f"ROS_DOMAIN_ID is {value!r}", "Set it to a number from 0 to 101."
        )
    if _FIRST_EPHEMERAL <= number <= _LAST_EPHEMERAL:
        return warning(
            "DDS domain",
            f"ROS_DOMAIN_ID is {number}, whose ports Linux may give to other programs",
            "Take a number from 0 to 101.",
        )
    return ok("DDS domain", f"{number}: nodes find each other only within one domain")


def discovery(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Say how far a node looks for others."""
    shown = [f"{name}={environment[name]}" for name in _SHOWN if environment.get(name)]
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        yield warning(
            "discovery",
            "ROS_LOCALHOST_ONLY=1: nodes of other machines are not found, whatever else is set",
            "unset ROS_LOCALHOST_ONLY; where that is wanted, ROS_AUTOMATIC_DISCOVERY_RANGE="
            "LOCALHOST says it since Iron.",
            shown,
        )
    elif reach and reach not in _RANGES:
        yield warning(
            "discovery",
            f"ROS_AUTOMATIC_DISCOVERY_RANGE is {reach!r}",
            f"Set it to one of {', '.join(_RANGES)}.",
            shown,
        )
    elif reach == "OFF":
        yield warning(
            "discovery",
            "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF: no node finds another",
            "unset ROS_AUTOMATIC_DISCOVERY_RANGE, or set it to LOCALHOST or SUBNET.",
            shown,
        )
    else:
        words = {"LOCALHOST": "on this machine only"}.get(reach, "on this machine and its subnet")
        yield ok("discovery", f"nodes are found {words}", shown)


def _log_folder(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """A node does not start where it cannot make its log."""
    home = environment.get("HOME", "")
    ros_home = environment.get("ROS_HOME") or (f"{home}/.ros" if home else "")
    folder = environment.get("ROS_LOG_DIR") or (f"{ros_home}/log" if ros_home else "")
    if not folder:
        yield broken(
            "ROS log",
            "neither HOME nor ROS_LOG_DIR is set: no node can start",
            "export ROS_LOG_DIR=/tmp/ros_log",
        )
    elif not _can_be_written(Path(folder)):
        yield broken(
            "ROS log",
            f"{folder} cannot be written: no node can start",
            "Change its owner, or export ROS_LOG_DIR to another folder.",
        )


def _can_be_written(folder: Path) -> bool:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
