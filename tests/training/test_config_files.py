"""Configuration files: types, overrides and errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lisa_ros.errors import ConfigurationError
from training.config import load_config
from training.pretrain_config import PretrainConfig
from training.run_config import RunConfig


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    steps: int = 3
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("name: run\ninner: {rate: 1e-3, sizes: [4, 5]}\n")
    return path


def test_sections_numbers_and_lists(written: Path) -> None:
    assert load_config(Outer, written) == Outer("run", inner=Inner(1e-3, (4, 5)))


def test_overrides_reach_into_sections(written: Path) -> None:
    config = load_config(Outer, written, ["inner.rate=2", "limit=7", "name=other"])
    assert config == Outer("other", limit=7, inner=Inner(2.0, (4, 5)))


def test_home_is_found(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mia")
    assert load_config(Outer, written, ["name=~/runs/a"]).name == "/home/mia/runs/a"
    assert load_config(Outer, written, ["name=a~/b"]).name == "a~/b"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stpes=1", "Did you mean steps"),
        ("steps=many", "steps should be int"),
        ("steps=true", "steps should be int"),
        ("inner.rate=fast", "rate should be float"),
        ("inner.sizes=3", "should be a list"),
        ("inner=3", "should be a section"),
        ("name.first=a", "is a single value"),
        ("steps", "written key=value"),
        ("steps=[1", "not valid YAML"),
        ("1=2", "unknown key '1'"),
    ],
)
def test_what_is_wrong_is_named(written: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_config(Outer, written, [override])


def test_a_missing_key_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("steps: 1\n")
    with pytest.raises(ConfigurationError, match="missing name"):
        load_config(Outer, path)
    with pytest.raises(ConfigurationError, match="No configuration file"):
        load_config(Outer, tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("content", [b"name: \xff", b"name: a\n1: 2\n", b"name: [\n"])
def test_a_file_that_is_no_configuration_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"config\.yaml"):
        load_config(Outer, path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(Outer, tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lisa-tiny", RunConfig),
        ("lisa-tiny-pretrain", PretrainConfig),
        ("lisa-tiny-pretrain-fine", PretrainConfig),
    ],
)
def test_the_configurations_of_lisa_tiny_load(name: str, kind: type) -> None:
    folder = Path(__file__).parents[2] / "training" / "configs"
    assert load_config(kind, folder / f"{name}.yaml").steps > 1000
