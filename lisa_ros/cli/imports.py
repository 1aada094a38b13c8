"""Whether what is installed can be imported: tried in processes, since a library may crash."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lisa_ros.cli.import_probe import MARK
from lisa_ros.diagnosis import Diagnosis, broken, ok, warning

# torch and transformers take seconds to import, on a busy machine a minute.
_TIMEOUT_S = 300.0
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_MODEL = ("torch", "lisa_ros.inference.engine")
_INTERFACES = ("lisa_ros.msg", "lisa_ros.srv", "lisa_ros.action")
_ROS = ("rclpy", *_INTERFACES, "lisa_ros.nodes.perception")
_TORCHVISION_CURE = (
    "pip uninstall torchvision (nothing here needs it), or install the build that belongs to "
    "torch's: one for CUDA beside a torch for the CPU breaks every transformers model."
)
_CURES = {
    "torch": "pip install torch (see pyproject.toml for the range), or `make setup` in a clone.",
    "torchvision": _TORCHVISION_CURE,
    "lisa_ros.inference.engine": "Read the error; `make setup` in a clone installs the tested set.",
    "rclpy": "Source ROS 2 (source /opt/ros/DISTRO/setup.bash), or `make setup` in a clone.",
    "open3d": "pip install open3d-cpu; missing libraries: apt-get install libegl1 libgl1 libgomp1 "
    "libusb-1.0-0. Only the simulation needs it.",
}
_INTERFACES_CURE = (
    "They are generated when the package is built: `make setup` in a clone, or colcon build and "
    "source install/setup.bash."
)


@dataclass(frozen=True)
class Imported:
    """How the import of one module went. problem: empty where it worked."""

    module: str
    problem: str
    version: str = ""


def try_imports(modules: Sequence[str], timeout_s: float = _TIMEOUT_S) -> list[Imported]:
    """Import modules in a process; those behind one that crashes or hangs are left out."""
    command = [sys.executable, "-m", "lisa_ros.cli.import_probe", *modules]
    lines, ending = _output(command, timeout_s)
    told = [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
    tried = [Imported(*each) for each in told]
    if len(tried) < len(modules):
        tried.append(Imported(modules[len(tried)], ending))
    return tried


def model_findings() -> Iterator[Diagnosis]:
    """Say whether the model's code can be imported, and what it runs on."""
    torchvision = importlib.util.find_spec("torchvision") is not None
    tried = try_imports(("torch", "torchvision", *_MODEL[1:]) if torchvision else _MODEL)
    yield from findings("model code", tried)
    if tried[0].problem == "":
        yield gpu_finding()


def ros_findings() -> Iterator[Diagnosis]:
    """Say whether nodes can be imported."""
    yield from findings("ROS 2 code", try_imports(_ROS))


def simulation_findings() -> Iterator[Diagnosis]:
    """Say whether rooms can be simulated; a robot needs none."""
    for tried in try_imports(("open3d",)):
        if tried.problem:
            yield warning("simulation", f"open3d: {tried.problem}", _CURES["open3d"])
        else:
            yield ok("simulation", f"open3d {tried.version} is there")


def findings(subject: str, tried: Sequence[Imported]) -> Iterator[Diagnosis]:
    """Turn imports into findings; the first one that fails is the cause of those behind it."""
    failed = [each for each in tried if each.problem]
    for each in failed[:1]:
        cure = _INTERFACES_CURE if each.module in _INTERFACES else _CURES.get(each.module, "")
        yield broken(
            subject,
            f"{each.module} cannot be imported: {each.problem}",
            cure or "Read the error; the versions above may say why.",
        )
    if not failed:
        names = [f"{each.module} {each.version}".strip() for each in tried]
        yield ok(subject, "everything can be imported", names)


def gpu_finding() -> Diagnosis:
    """Compare what torch sees with whether the machine has an NVIDIA driver."""
    lines, ending = _output([sys.executable, "-m", "lisa_ros.cli.gpu_probe"], _TIMEOUT_S)
    facts = next((line for line in lines if line.startswith(MARK)), None)
    if facts is None:
        return broken("GPU", f"torch cannot say what it sees: {ending}", "Look at the driver.")
    seen = json.loads(facts.removeprefix(MARK))
    return gpu_diagnosis(**seen, has_driver=_NVIDIA_DRIVER.exists())


def gpu_diagnosis(
    cuda: str | None, devices: Sequence[tuple[str, int]], *, has_driver: bool
) -> Diagnosis:
    """Judge what torch sees. cuda: what it was built for; devices: (name, MiB)."""
    if devices:
        return ok("GPU", f"torch sees {', '.join(f'{name} ({mib} MiB)' for name, mib in devices)}")
    if not has_driver:
        return ok("GPU", "there is none (no NVIDIA driver): the CPU answers")
    if cuda is None:
        return warning(
            "GPU",
            "there is one, but torch is built for the CPU",
            "Install PyTorch's build for CUDA: pip install --force-reinstall torch",
        )
    return warning(
        "GPU",
        f"there is one, but torch (for CUDA {cuda}) does not see it",
        "Does nvidia-smi work? Is the driver new enough, CUDA_VISIBLE_DEVICES unset, the container "
        "started with its GPUs?",
    )


def _output(command: Sequence[str], timeout_s: float) -> tuple[list[str], str]:
    """Return the lines of a process, and how it ended in words."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode(errors="replace") if error.stdout else ""
        return printed.splitlines(), f"nothing came for {timeout_s:g} s"
    said = done.stderr.strip().splitlines()
    ending = said[-1] if said else f"the process ended with {done.returncode}"
    if done.returncode < 0:
        ending = f"the process crashed with signal {-done.returncode}"
    return done.stdout.splitlines(), ending
