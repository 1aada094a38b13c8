"""Route 2: a machine with ROS 2. rosdep, a venv that sees the system's packages, colcon build.

Nothing of route 1 comes in: no ROS wheels, no constraints.txt. The system's numpy stays as it is,
because cv_bridge and rclpy of the distribution are compiled against it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import machine
import requirements
from progress import Progress, SetupError

EXTRAS = ["sim", "train"]
VENV = ".venv-ros"
NETWORK_ADVICE = "check the network (and any proxy), then run the same command again."


def set_up(
    checkout: Path, workspace: Path | None, torch_index: str | None, progress: Progress
) -> None:
    """Install what the ROS distribution and pip have, then build the package into the workspace."""
    distribution = _sourced_distribution()
    workspace = workspace.resolve() if workspace else _enclosing_workspace(checkout)
    python = checkout / VENV / "bin" / "python3"
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    progress.expect(4)
    with progress.step(f"Installing the packages of ROS 2 {distribution} (rosdep)"):
        rosdep = [
            "rosdep",
            "install",
            "--from-paths",
            checkout,
            "--ignore-src",
            "--rosdistro",
            distribution,
            "-y",
        ]
        progress.run(
            rosdep,
            env,
            "run `rosdep update`, or install by hand what is named above.",
        )
    with progress.step(f"Creating {VENV}, which sees the packages of the system"):
        if not python.exists():
            venv = [sys.executable, "-m", "venv", "--system-site-packages", checkout / VENV]
            advice = "sudo apt-get install -y python3-venv, then run the same command again."
            progress.run(venv, env, advice)
    with progress.step("Installing PyTorch, transformers, Open3D and others"):
        _install_requirements(checkout, python, torch_index, env, progress)
    with progress.step(f"Building {workspace} (colcon build)"):
        build = ["colcon", "--log-base", workspace / "log", "build", "--symlink-install",
                 "--base-paths", checkout, "--packages-select", "lisa_ros",
                 "--build-base", workspace / "build", "--install-base", workspace / "install",
                 "--cmake-args", f"-DPython3_EXECUTABLE={python}"]  # fmt: skip
        progress.run(
            build, env, "read the first error in the log, then run the same command again."
        )
    print(
        "\nReady. In each new shell:\n"
        f"    source {workspace}/install/setup.bash\n"
        "    ros2 launch lisa_ros perception.launch.py"
    )


def _sourced_distribution() -> str:
    distribution = os.environ.get("ROS_DISTRO")
    lacking = [tool for tool in ("rosdep", "colcon") if not shutil.which(tool)]
    if not distribution:
        raise SetupError(
            "No ROS 2 in this shell: ROS_DISTRO is not set.\n"
            "What to do: source it first (source /opt/ros/jazzy/setup.bash). "
            "Without ROS 2 use `make setup`."
        )
    if lacking:
        raise SetupError(
            f"Not found: {', '.join(lacking)}.\n"
            "What to do: sudo apt-get install -y python3-rosdep python3-colcon-common-extensions"
        )
    return distribution


def _enclosing_workspace(checkout: Path) -> Path:
    """Return the workspace that holds this checkout in its src folder, or the checkout itself."""
    for folder in checkout.parents:
        if folder.name == "src":
            return folder.parent
    return checkout


def _install_requirements(
    checkout: Path, python: Path, torch_index: str | None, env: dict[str, str], progress: Progress
) -> None:
    ask = "import numpy; print(numpy.__version__)"
    answer = subprocess.run([str(python), "-c", ask], env=env, capture_output=True, text=True)
    if answer.returncode != 0:
        raise SetupError(
            "numpy of the ROS distribution is not installed: sudo apt-get install -y python3-numpy"
        )
    keep_numpy = checkout / VENV / "keep_numpy.txt"
    keep_numpy.write_text(f"numpy=={answer.stdout.strip()}\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "-c", keep_numpy]
    index = requirements.torch_index(torch_index, machine.has_nvidia_gpu())
    if index and requirements.answers(index):
        progress.run([*pip, "--no-deps", "--index-url", index, "torch"], env, NETWORK_ADVICE)
    elif index:
        progress.note(
            f"{index} cannot be reached: taking the default index; "
            "its build may be several GB larger"
        )
    progress.run(
        [*pip, *requirements.project_requirements(checkout, EXTRAS, python, env)],
        env,
        NETWORK_ADVICE,
    )
