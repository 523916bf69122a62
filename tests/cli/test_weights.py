"""Pretrained weights, out of a cache that was filled by hand."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sightline.models import classifier
from tests.cli.conftest import Person

CACHED = "hub/checkpoints/squeezenet1_1-b8a52dc0.pth"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody whose torchvision has the weights of one model."""
    torch.manual_seed(0)
    cached = tmp_path / "torch" / CACHED
    cached.parent.mkdir(parents=True)
    torch.save(classifier("torchvision/squeezenet1_1", classes=1000).state_dict(), cached)
    folders = {"TORCH_HOME": str(tmp_path / "torch"), "SIGHTLINE_WEIGHTS": str(tmp_path / "weights")}
    return Person(tmp_path, folders)


def test_pull_and_list(person: Person) -> None:
    assert "no pretrained weights; fetch some with `sightline weights pull`" in person.ok("weights", "ls").err
    out = person.ok("weights", "pull", "torchvision/squeezenet1_1").out
    path = person.home / "weights" / "torchvision" / "squeezenet1_1.safetensors"
    assert out.startswith(f"{path}: torchvision/squeezenet1_1, ")
    assert "licence: bsd-3-clause" in out
    assert load_file(path)["features.0.weight"].shape == (64, 3, 3, 3)
    (person.home / "torch" / CACHED).unlink()
    assert person.ok("weights", "pull", "torchvision/squeezenet1_1").out == out
    assert "torchvision/squeezenet1_1" in person.ok("weights", "ls").out
    entry = person.ok("weights", "ls", "--json").json[0]
    assert entry["name"] == "torchvision/squeezenet1_1"
    assert entry["path"] == str(path)
    assert entry["address"].endswith("squeezenet1_1-b8a52dc0.pth")


def test_pull_into_a_file(person: Person) -> None:
    person.ok("weights", "pull", "torchvision/squeezenet1_1", "-o", "package/weights/net.safetensors")
    assert "features.0.weight" in person.ok("weights", "show", "package/weights/net.safetensors").out
    assert person.ok("weights", "ls").out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["squeezenet1_2"], "there is no model 'squeezenet1_2'; did you mean 'squeezenet1_"),
        (["small_resnet"], "there is no model 'small_resnet'"),
        (["torchvision/squeezenet1_1", "-o", "net.pt"], "net.pt: weights are written to a .safetensors file"),
        (["resnet18", "resnet34", "-o", "a.safetensors"], "--output takes the weights of one model"),
    ],
)
def test_what_cannot_be_pulled(person: Person, words: list[str], message: str) -> None:
    result = person("weights", "pull", *words)
    assert result.code == 1
    assert message in result.err
