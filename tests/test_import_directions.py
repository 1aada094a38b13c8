"""Who may import whom. Read from the source, so that imports inside functions count too."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ROOTS = ("lisa_ros", "training", "benchmarks")

VALUES = {"types", "errors", "diagnosis", "durable_files"}
# A part may import itself, `lisa_ros` itself (its version), and the parts named here.
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "diagnosis": set(),
    "durable_files": set(),
    "model": VALUES,
    "inference": VALUES | {"model"},
    "geometry": VALUES,
    "tracking": VALUES | {"model", "inference", "geometry"},
    "recordings": VALUES | {"geometry"},
    "simulation": VALUES | {"geometry"},
    "nodes": VALUES
    | {"inference", "geometry", "tracking", "recordings", "simulation", "msg", "srv", "action"},
    "cli": VALUES | {"model", "inference", "geometry", "recordings", "simulation"},
    "training": VALUES | {"model", "inference", "geometry", "recordings", "simulation"},
    "benchmarks": VALUES
    | {"model", "inference", "geometry", "tracking", "recordings", "simulation", "training"},
}
ROS = {"rclpy", "launch", "launch_ros", "ament_index_python", "tf2_ros", "cv_bridge"}
TORCH = {"torch", "transformers", "peft", "segment_anything", "safetensors", "sentencepiece"}
# Foreign packages that a part must not touch; *_msgs, *_srvs and *_interfaces are ROS too.
MUST_NOT_IMPORT = {
    "types": ROS | TORCH | {"open3d"},
    "errors": ROS | TORCH | {"open3d"},
    "diagnosis": ROS | TORCH | {"open3d"},
    "durable_files": ROS | TORCH | {"open3d"},
    "model": ROS | {"open3d"},
    "inference": ROS | {"open3d"},
    "geometry": ROS | TORCH | {"open3d"},
    "tracking": ROS | {"open3d"},
    "recordings": ROS | TORCH | {"open3d"},
    "simulation": ROS | TORCH,
    "cli": ROS,
    "training": ROS,
    "benchmarks": ROS,
    "nodes": set(),
}
NUMPY_ONLY = ("types", "errors", "diagnosis", "durable_files", "geometry")
NAMED_OTHERWISE = {"pillow": "PIL", "pyyaml": "yaml", "open3d_cpu": "open3d"}
# Brought by rclpy, or there only where a ROS 2 distribution is installed.
FROM_ROS_ITSELF = {
    "ament_index_python", "builtin_interfaces", "cv_bridge", "launch", "launch_ros",
    "rcl_interfaces", "rosgraph_msgs", "tf2_ros", "vision_msgs",
}  # fmt: skip
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


@dataclass(frozen=True)
class Import:
    """One imported module: who, what, where, and whether it is imported when the file is."""

    file: Path
    line: int
    module: str
    at_import: bool

    @property
    def part(self) -> str:
        return part_of(self.file)

    def __str__(self) -> str:
        return f"{self.file.relative_to(CHECKOUT)}:{self.line} imports {self.module}"


def source_files() -> list[Path]:
    return [path for root in ROOTS for path in sorted((CHECKOUT / root).rglob("*.py"))]


def part_of(file: Path) -> str:
    """Name the part that a file belongs to: its folder below lisa_ros, or training, benchmarks."""
    parts = file.relative_to(CHECKOUT).with_suffix("").parts
    return parts[1] if parts[0] == "lisa_ros" else parts[0]


def part_of_module(module: str) -> str | None:
    """Name the part of this repository that a dotted name lies in; None for anything else."""
    names = module.split(".")
    if names[0] == "lisa_ros":
        return names[1] if len(names) > 1 else "__init__"
    return names[0] if names[0] in ROOTS else None


def imports_in(file: Path) -> Iterator[Import]:
    """Yield every import of a file: statements at any depth, and import_module() of a literal."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    package = file.relative_to(CHECKOUT).parent.parts
    yield from _imports_below(tree, file, package, at_import=True)


def _imports_below(
    node: ast.AST, file: Path, package: tuple[str, ...], at_import: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for module in _modules_of(child, package):
            yield Import(file, child.lineno, module, at_import)  # type: ignore[attr-defined]
        in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        yield from _imports_below(
            child, file, package, at_import and not in_function and not for_types
        )


def _modules_of(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else ()
        module = ".".join([*base, *([node.module] if node.module else [])])
        # `from lisa_ros import nodes` imports lisa_ros.nodes; of deeper ones the prefix says it.
        return [f"{module}.{alias.name}" for alias in node.names] if "." not in module else [module]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).split(".")[-1]
        if name in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


ALL_IMPORTS = [found for file in source_files() for found in imports_in(file)]


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return top in ROS or top.endswith(("_msgs", "_srvs", "_interfaces"))


def test_parts_are_known() -> None:
    parts = {part_of(file) for file in source_files()} - {"__init__"}
    assert parts <= set(MAY_IMPORT), "a new part needs a row in MAY_IMPORT and in ARCHITECTURE.md"
    assert set(MAY_IMPORT) == set(MUST_NOT_IMPORT)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_part_imports_only_what_it_may(part: str) -> None:
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if found.part == part
        and (target := part_of_module(found.module)) is not None
        and target not in MAY_IMPORT[part] | {part, "__init__", "__version__"}
    ]
    assert not wrong, "\n".join(wrong)


def test_architecture_draws_these_arrows() -> None:
    text = (CHECKOUT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]
    drawn = {
        folder.strip("`/").removeprefix("lisa_ros/"): set(re.findall(r"`(\w+)`", imports))
        for _, folder, *_, imports, _ in (row for row in rows if len(row) == 5)
    }
    interfaces = {"msg", "srv", "action"}  # generated, and in no folder of ours
    for part in set(MAY_IMPORT) - VALUES:
        assert drawn[part] == MAY_IMPORT[part] - VALUES - interfaces, part


@pytest.mark.parametrize("part", MUST_NOT_IMPORT)
def test_part_leaves_foreign_packages_alone(part: str) -> None:
    banned = MUST_NOT_IMPORT[part]
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if found.part == part
        and (found.module.split(".")[0] in banned or (banned and is_ros(found.module)))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", NUMPY_ONLY)
def test_part_needs_numpy_only(part: str) -> None:
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if found.part == part
        and part_of_module(found.module) is None
        and (top := found.module.split(".")[0]) != "numpy"
        and top not in sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_every_foreign_package_is_declared() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    core = [*project["dependencies"], *extras["ros"], *extras["sim"], *extras["quantization"]]
    always = {_module(text) for text in core}
    in_training = always | {_module(text) for text in extras["train"]}
    wrong = []
    for found in ALL_IMPORTS:
        top = found.module.split(".")[0]
        known = in_training if found.part in {"training", "benchmarks"} else always
        known = known | FROM_ROS_ITSELF if found.part == "nodes" else known
        if top not in known | set(ROOTS) | sys.stdlib_module_names:
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def _module(requirement: str) -> str:
    """Name the module that a requirement brings."""
    name = re.split(r"[^\w-]", requirement)[0].removeprefix("ros-").replace("-", "_")
    return NAMED_OTHERWISE.get(name, name)


def test_open3d_is_imported_lazily() -> None:
    eager = [
        str(found)
        for found in ALL_IMPORTS
        if found.module.split(".")[0] == "open3d" and found.at_import
    ]
    assert not eager, "\n".join(eager)


def test_torchvision_is_never_imported() -> None:
    wrong = [str(found) for found in ALL_IMPORTS if found.module.split(".")[0] == "torchvision"]
    assert not wrong, "\n".join(wrong)


def test_modules_are_named_for_their_concept() -> None:
    vague = [str(file) for file in source_files() if BANNED_NAMES & {file.stem, file.parent.name}]
    assert not vague


def test_generated_packages_are_not_in_the_checkout() -> None:
    for name in ("msg", "srv", "action"):
        assert not (CHECKOUT / "lisa_ros" / name).exists(), f"lisa_ros.{name} is generated"


@pytest.mark.parametrize("module", ["lisa_ros", "lisa_ros.geometry"])
def test_light_imports_stay_light(module: str) -> None:
    heavy = ("torch", "transformers", "rclpy", "open3d", "lisa_ros.msg")
    code = (
        f"import sys, importlib; importlib.import_module({module!r}); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert answer.stdout.strip() == "[]"


def test_the_reader_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CHECKOUT", tmp_path)
    folder = tmp_path / "lisa_ros" / "model"
    folder.mkdir(parents=True)
    file = folder / "sample.py"
    file.write_text(
        "import os.path\n"
        "from lisa_ros import nodes\n"
        "from ..nodes.perception import main\n"
        "from . import sam\n"
        "def f():\n"
        "    import rclpy.node\n"
        "    importlib.import_module('lisa_ros.cli')\n",
        encoding="utf-8",
    )
    found = [(each.module, each.at_import) for each in imports_in(file)]
    assert found == [
        ("os.path", True),
        ("lisa_ros.nodes", True),
        ("lisa_ros.nodes.perception", True),
        ("lisa_ros.model", True),
        ("rclpy.node", False),
        ("lisa_ros.cli", False),
    ]
