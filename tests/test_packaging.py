"""The package's metadata agrees with itself: pins, versions, entry points, interfaces, licences."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lisa_ros
from lisa_ros import errors
from lisa_ros.types import Status

CHECKOUT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    """Read constraints.txt as name → version; every line must be an exact pin."""
    lines = [line for line in read("constraints.txt").splitlines() if line and line[0] != "#"]
    found = dict(line.split("==") for line in lines)
    assert len(found) == len(lines), "a package is pinned twice"
    return {canonicalize_name(name): version for name, version in found.items()}


def declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in texts]


def test_build_requirements_are_the_pins_of_constraints() -> None:
    known = pins()
    for text in PYPROJECT["build-system"]["requires"]:
        requirement = Requirement(text)
        assert str(requirement.specifier) == f"=={known[canonicalize_name(requirement.name)]}", text


def test_every_declared_package_is_pinned_within_its_range() -> None:
    known = pins()
    for requirement in declared():
        if requirement.name == "open3d":  # what other processors than x86_64 take for open3d-cpu
            continue
        version = known[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} excludes the pin {version}"


def test_only_constraints_pins() -> None:
    exact = [
        str(requirement)
        for requirement in declared()
        if any(part.operator == "==" for part in requirement.specifier)
    ]
    assert exact == ["segment-anything==1.0"], "its only release; everything else is a range"


def test_ros_wheels_are_bounded_to_one_distribution() -> None:
    for text in PROJECT["optional-dependencies"]["ros"]:
        operators = {part.operator for part in Requirement(text).specifier}
        assert operators == {">=", "<"}, text
    assert not [text for text in PROJECT["dependencies"] if text.startswith("ros-")]


def test_torchvision_is_not_installed_by_us() -> None:
    assert "torchvision" not in pins()
    assert "torchvision" not in {requirement.name for requirement in declared()}


def test_package_xml_agrees_with_the_python_package() -> None:
    root = ET.fromstring(read("package.xml"))
    assert root.findtext("name") == PROJECT["name"] == "lisa_ros"
    assert root.findtext("version") == lisa_ros.__version__
    assert root.findtext("description") == PROJECT["description"]
    assert root.findtext("license") == PROJECT["license"] == "Apache-2.0"
    assert root.findtext("export/build_type") == "ament_cmake"
    assert root.findtext("member_of_group") == "rosidl_interface_packages"


def test_cmake_and_package_xml_name_the_same_interface_packages() -> None:
    root = ET.fromstring(read("package.xml"))
    depends = {element.text for element in root.findall("depend")}
    (listed,) = re.findall(r"DEPENDENCIES ([\w\s]+)\)", read("CMakeLists.txt"))
    assert set(listed.split()) <= depends
    used = set()
    for path in [
        *CHECKOUT.glob("msg/*.msg"),
        *CHECKOUT.glob("*/*.srv"),
        *CHECKOUT.glob("*/*.action"),
    ]:
        used |= set(re.findall(r"^(\w+)/\w+", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert used - {"lisa_ros"} == set(listed.split())


# The package of a module that is called otherwise: tf2_ros alone is the C++ library.
PACKAGED_AS = {"tf2_ros": "tf2_ros_py"}
OPTIONAL = {"cv_bridge", "vision_msgs"}


def test_package_xml_names_every_ros_package_that_is_imported() -> None:
    """What `rosdep install` leaves out is missing on a robot that has ROS's base alone."""
    root = ET.fromstring(read("package.xml"))
    depends = {each.text for tag in ("depend", "exec_depend") for each in root.findall(tag)}
    files = [path for each in ("lisa_ros", "launch") for path in (CHECKOUT / each).rglob("*.py")]
    imports = "\n".join(path.read_text(encoding="utf-8") for path in files)
    of_ros = r"(rclpy|launch|\w+_ros|\w+_(?:msgs|srvs|interfaces)|ament_index_python|cv_bridge)"
    used = set(re.findall(rf"^\s*(?:from|import) {of_ros}\b", imports, re.MULTILINE))
    used |= set(re.findall(rf'import_module\("{of_ros}"\)', imports))
    assert {"rclpy", "tf2_ros", "vision_msgs", "std_srvs"} <= used
    named = {PACKAGED_AS.get(name, name) for name in used - OPTIONAL - {"lisa_ros"}}
    assert named <= depends


def functions_of(module: str) -> set[str]:
    path = CHECKOUT.joinpath(*module.split(".")).with_suffix(".py")
    assert path.is_file(), f"{module} does not exist"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("script", PROJECT["scripts"])
def test_console_script_has_its_function(script: str) -> None:
    module, function = PROJECT["scripts"][script].split(":")
    assert function in functions_of(module)


def test_ros_executables_have_their_nodes() -> None:
    (nodes,) = re.findall(r"foreach\(node ([\w ]+)\)", read("CMakeLists.txt"))
    for node in nodes.split():
        assert "main" in functions_of(f"lisa_ros.nodes.{node}")


def test_the_template_of_the_executables_is_executable() -> None:
    """configure_file keeps its mode, and a symlink install installs just a link to the copy."""
    for template in ("node.in", "lisa.in"):
        assert os.access(CHECKOUT / "scripts" / template, os.X_OK)


def test_status_constants_are_those_of_the_message() -> None:
    found = re.findall(r"^uint8 ([A-Z_]+)=(\d+)", read("msg/Perception.msg"), re.MULTILINE)
    assert {name: int(value) for name, value in found} == {each.name: each.value for each in Status}


def test_every_message_field_is_explained() -> None:
    for path in [
        *CHECKOUT.glob("msg/*.msg"),
        *CHECKOUT.glob("srv/*.srv"),
        *CHECKOUT.glob("action/*"),
    ]:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line or line == "---" or "#" in line, f"{path.name}: {line}"


def test_error_codes_fit_the_wire_and_are_unique() -> None:
    leaves = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.LisaError)
    ]
    codes = [leaf.code for leaf in leaves]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 2**16 for code in codes), "0 means no error in Perception.error_code"


def test_licence_files_are_whole() -> None:
    assert "END OF TERMS AND CONDITIONS" in read("LICENSE")
    assert "Version 2.0, January 2004" in read("LICENSE")
    for topic in ("lisa-tiny", "LLaVA", "ScanNet", "Segment Anything", "Llama 2"):
        assert topic in read("LICENSES.md")


def test_installed_package_honours_the_contract_of_ros2_launch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("lisa_ros.msg")
    index = pytest.importorskip("ament_index_python")
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.environ.get("AMENT_PREFIX_PATH", sys.prefix))
    prefix = Path(index.get_package_prefix("lisa_ros"))
    share = Path(index.get_package_share_directory("lisa_ros"))
    assert (share / "package.xml").is_file()
    assert {path.name for path in (CHECKOUT / "msg").glob("*.msg")} <= {
        path.name for path in (share / "msg").iterdir()
    }
    for folder in ("launch", "config"):
        for path in (CHECKOUT / folder).rglob("*"):
            if "__pycache__" not in path.parts:
                installed = share / folder / path.relative_to(CHECKOUT / folder)
                assert installed.exists(), f"{path} was added since: run `make setup`"
    for node in ("perception", "simulated_camera"):
        executable = prefix / "lib" / "lisa_ros" / node
        assert os.access(executable, os.X_OK)
        assert executable.read_text(encoding="utf-8").startswith("#!/")


def test_interfaces_survive_a_round_trip() -> None:
    messages = pytest.importorskip("lisa_ros.msg")
    actions = pytest.importorskip("lisa_ros.action")
    serialization = pytest.importorskip("rclpy.serialization")
    target = messages.Target(id=254, label="mug", has_position=True)
    target.position.z = 1.25
    target.position_covariance[8] = 4e-6
    sent = messages.Perception(status=int(Status.NO_DEPTH), targets=[target], instruction="マグ")
    data = serialization.serialize_message(actions.Reason.Result(perception=sent))
    received = serialization.deserialize_message(data, actions.Reason.Result).perception
    assert received == sent
    assert received.targets[0].position.z == 1.25
    assert received.status == messages.Perception.NO_DEPTH


def test_ci_runs_the_command_of_the_readme() -> None:
    script = CHECKOUT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert read(".ci/run").splitlines()[-1] == "exec make test"
    subprocess.run(["sh", "-n", str(script)], check=True)
