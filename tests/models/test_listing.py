"""Every listed model is built, run forwards and backwards, saved and loaded."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sightline.errors import SightlineError
from sightline.models import list_models
from tests.models.sizes import images, small_classifier, small_segmenter


def learns(model: nn.Module, shape: tuple[int, ...]) -> None:
    """One step backwards: the output has the shape, and each parameter a finite gradient.

    A parameter without one would have the other ranks of a training wait for it.
    """
    model.train()
    logits = model(images())
    assert logits.shape == shape
    logits.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())


def saved(model: nn.Module, folder: Path) -> Path:
    """The weights of a model in a file; moved a little, so that a new model cannot have them by chance."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    weights = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def same(first: nn.Module, second: nn.Module) -> bool:
    with torch.no_grad():
        return torch.equal(first.eval()(images()), second.eval()(images()))


@pytest.mark.parametrize("name", list_models("classification"))
def test_classifier(name: str, tmp_path: Path) -> None:
    model = small_classifier(name)
    learns(model, (2, 5))
    path = saved(model, tmp_path)
    assert not same(model, small_classifier(name))
    assert same(model, small_classifier(name, pretrained=path))


@pytest.mark.parametrize("name", list_models("segmentation"))
def test_segmenter(name: str, tmp_path: Path) -> None:
    model = small_segmenter(name)
    learns(model, (2, 5, 64, 64))
    path = saved(model, tmp_path)
    assert not same(model, small_segmenter(name))
    assert same(model, small_segmenter(name, pretrained=str(path)))


def test_all_kinds_are_listed() -> None:
    assert {"small_resnet", "torchvision/resnet18"} <= set(list_models("classification"))
    assert {"small_unet", "unet", "dinov3", "aerialformer"} <= set(list_models("segmentation"))
    assert "light" in list_models("detection")
    with pytest.raises(SightlineError, match="no kind of model 'clasification'; did you mean 'classif"):
        list_models("clasification")
