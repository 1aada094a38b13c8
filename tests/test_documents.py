"""README and ARCHITECTURE name what is there: files, commands, parameters, launch arguments."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import Field
from pathlib import Path
from typing import Any

import pytest

from lisa_ros.nodes.parameter_declaration import Change
from lisa_ros.nodes.parameters import specifications

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
FOLDERS = "lisa_ros|training|benchmarks|tests|config|launch|examples|docs|scripts"


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def table(text: str, header: str) -> list[list[str]]:
    """The cells of the table with this first line, without it and the ruler."""
    lines = text.partition(f"{header}\n")[2].splitlines()[1:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_are_there(document: str) -> None:
    named = re.findall(rf"[`(]((?:{FOLDERS})/[\w./*-]*)[`)]", read(document))
    assert not [path for path in named if not list(CHECKOUT.glob(path))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_modules_that_are_named_are_there(document: str) -> None:
    text = read(document)
    named = re.findall(r"(?:-m|--module) ((?:training|benchmarks|lisa_ros)[\w.]*)", text)
    named += re.findall(r"`((?:training|benchmarks)\.\w+)", text)
    assert not [name for name in named if importlib.util.find_spec(name) is None]


def said(value: object) -> str:
    """A default as the README writes it, and as YAML reads it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return '""' if value == "" else str(value)


def range_of(spec: Field[Any]) -> str:
    ends = spec.metadata["minimum"], spec.metadata["maximum"]
    return "" if None in ends else "{:.7g}..{:.7g}".format(*ends)


def test_the_readme_lists_every_parameter_with_default_and_range() -> None:
    rows = table(read("README.md"), "| name | default | range | meaning |")
    listed = {name.strip("`"): (default, limits) for name, default, limits, _ in rows}
    assert listed == {n: (said(s.default), range_of(s)) for n, s in specifications().items()}
    meant = {name.strip("`"): f"{default} {meaning}" for name, default, _, meaning in rows}
    for name, spec in specifications().items():
        assert not [choice for choice in spec.metadata["choices"] if choice not in meant[name]]


def test_the_readme_says_which_parameters_may_change_when() -> None:
    before = "Only while the node is unconfigured may these change: "
    sentence = re.search(rf"{before}([^.]*)\.", read("README.md"))
    assert sentence is not None
    changes = {name: spec.metadata["change"] for name, spec in specifications().items()}
    assert set(re.findall(r"`(\w+)`", sentence[1])) == {
        name for name, change in changes.items() if change is Change.UNCONFIGURED
    }
    assert [name for name, change in changes.items() if change is Change.AT_START] == ["autostart"]


def test_the_readme_names_every_launch_argument() -> None:
    declared = re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', read("launch/perception.launch.py"))
    assert len(declared) > 10
    text = read("README.md")
    assert not [name for name in declared if f"{name}:=" not in text]
