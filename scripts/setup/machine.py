"""What the machine must have before pip can work: found by trying, cured with apt where allowed."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from progress import Progress, SetupError

# What Open3D is linked with and no wheel brings (readelf -d), and libgomp, which it also loads.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
    "libidn2.so.0": "libidn2-0",
    "libudev.so.1": "libudev1",
    "libusb-1.0.so.0": "libusb-1.0-0",
}


@dataclass(frozen=True)
class Missing:
    """Something that this machine lacks: in words, and the Debian/Ubuntu package that has it."""

    what: str
    package: str


def check_platform() -> None:
    """Refuse a machine that the ROS wheels of PyPI do not exist for."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SetupError(
            "The ROS 2 wheels on PyPI exist for Linux on x86_64, "
            f"and this is {sys.platform} on {platform.machine()}. "
            "On a machine with ROS 2 installed use `make ros`."
        )


def missing_parts() -> list[Missing]:
    """List what this machine lacks."""
    missing = [Missing(name, package) for name, package in LIBRARIES.items() if not _loads(name)]
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        missing.append(Missing("a C++ compiler", "g++"))
    elif not any(shutil.which(name) for name in (os.environ.get("CC", "cc"), "gcc", "clang")):
        missing.append(Missing("a C compiler", "gcc"))
    return missing + _missing_parts_of_python()


def install(missing: list[Missing], progress: Progress) -> None:
    """Install the missing packages as root; anyone else gets a SetupError with the line to run."""
    words = ", ".join(part.what for part in missing)
    packages = sorted({part.package for part in missing})
    line = f"apt-get install -y {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(
            f"This machine lacks {words}.\n"
            "What to do (Debian, Ubuntu; elsewhere the like packages of your distribution):\n"
            f"    sudo {line}\nthen run the same command again."
        )
    progress.note(f"lacks {words}; running as root: {line}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    advice = f"run `{line}` yourself, then the same command again."
    progress.run(["apt-get", "update"], env, advice)
    progress.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], env, advice)
    importlib.invalidate_caches()
    if still := missing_parts():
        raise SetupError(f"Still missing after `{line}`: {', '.join(part.what for part in still)}.")


def has_nvidia_gpu() -> bool:
    """Whether the NVIDIA driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _missing_parts_of_python() -> list[Missing]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    parts = []
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        parts.append(Missing(f"the venv module of {sys.executable}", f"{version}-venv"))
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        parts.append(Missing(f"the headers of {sys.executable}", f"{version}-dev"))
    if parts and sys.base_prefix != "/usr":
        raise SetupError(
            f"Python at {sys.base_prefix} lacks {', '.join(part.what for part in parts)}. "
            "Install it completely, or name another one: make demo PYTHON=/usr/bin/python3"
        )
    return parts
