"""The pip route: generate and compile the ROS interfaces with the ROS wheels of PyPI, package them.

CMakeLists.txt says what is built and installed; this file runs it into a staging folder and hands
the result to setuptools. Where a ROS 2 is installed (ROS_DISTRO is set), interfaces are colcon's
job: they are left out.

LISA_ROS_DEVELOP=1 (what `make setup` uses) installs the generated code only, and a .pth file that
points here: everything else runs from this checkout, so that an edit takes effect at once.
`pip install -e` cannot do that, because setuptools leaves data_files out of editable installs.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent.resolve()
ROS_IS_INSTALLED = bool(os.environ.get("ROS_DISTRO"))
RUN_FROM_CHECKOUT = os.environ.get("LISA_ROS_DEVELOP") == "1"
GENERATED_PACKAGES = ("msg", "srv", "action")


def ros_wheels_prefix() -> Path:
    """Find where the ROS wheels are installed: in pip's build environment, or in this one."""
    spec = importlib.util.find_spec("ament_package")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "The ROS build wheels are missing: `ament_package` cannot be imported. Let pip make "
            "its own build environment (no --no-build-isolation), or install what build-system in "
            "pyproject.toml requires."
        )
    return Path(spec.origin).resolve().parents[4]


class BuildInterfaces(build_ext):
    """Runs CMake; the one extension is but a name, which makes the wheel platform-specific."""

    def run(self) -> None:
        stage = self.run_cmake()
        self.take_generated_code(stage)
        self.take_data_files(stage)

    def run_cmake(self) -> Path:
        prefix = ros_wheels_prefix()
        build = Path(self.build_temp).resolve() / "cmake"
        stage = Path(self.build_temp).resolve() / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        environment = {
            **os.environ,
            "AMENT_PREFIX_PATH": str(prefix),
            "CMAKE_PREFIX_PATH": str(prefix),
        }
        configure = [
            "cmake", "-S", str(HERE), "-B", str(build), "-G", "Ninja",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DBUILD_TESTING=OFF",
            f"-DCMAKE_INSTALL_PREFIX={stage}",
            f"-DCMAKE_PROJECT_INCLUDE={HERE / 'cmake' / 'pip_wheels.cmake'}",
            f"-DPython3_EXECUTABLE={sys.executable}",
            "-DLISA_ROS_INTERPRETER=/usr/bin/env python3",
        ]  # fmt: skip
        subprocess.run(configure, check=True, env=environment)
        subprocess.run(
            ["cmake", "--build", str(build), "--target", "install"], check=True, env=environment
        )
        return stage

    def take_generated_code(self, stage: Path) -> None:
        """Put the generated Python packages and their libraries beside our own modules."""
        (installed,) = stage.glob("**/*-packages/lisa_ros")
        target = Path(self.build_lib) / "lisa_ros"
        if RUN_FROM_CHECKOUT:
            shutil.rmtree(target)
            target.mkdir()
            Path(self.build_lib, "lisa_ros_checkout.pth").write_text(f"{HERE}\n", encoding="utf-8")
        for name in GENERATED_PACKAGES:
            shutil.rmtree(target / name, ignore_errors=True)
            if (installed / name).is_dir():
                unwanted = shutil.ignore_patterns("*.c", "__pycache__")
                shutil.copytree(installed / name, target / name, ignore=unwanted)
        for library in installed.glob("*.so"):
            shutil.copy2(library, target)

    def take_data_files(self, stage: Path) -> None:
        """Install shared libraries, executables and the package's share folder under the prefix."""
        by_folder: dict[str, list[str]] = {}
        for path in sorted([*(stage / "lib").glob("*.so"), *(stage / "lib" / "lisa_ros").iterdir(),
                            *(stage / "share").rglob("*")]):  # fmt: skip
            if path.is_file():
                folder = str(path.parent.relative_to(stage))
                by_folder.setdefault(folder, []).append(os.path.relpath(path, HERE))
        self.distribution.data_files = [
            *(self.distribution.data_files or []), *by_folder.items()
        ]  # fmt: skip


if ROS_IS_INSTALLED:
    setup()
else:
    setup(
        ext_modules=[Extension("lisa_ros._interfaces", sources=[])],
        cmdclass={"build_ext": BuildInterfaces},
    )
