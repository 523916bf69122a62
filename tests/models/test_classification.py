from typing import Any

import pytest
import torch

from sightline.errors import SightlineError
from sightline.models import classifier
from tests.models.sizes import images


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (32, 32), (20, 13)])
@pytest.mark.parametrize("name", ["small_resnet", "small_mlp"])
def test_own_nets_take_tiny_images(name: str, size: tuple[int, int]) -> None:
    model = classifier(name, classes=10, channels=1, width=4)
    assert model(images(*size, channels=1)).shape == (2, 10)


@pytest.mark.parametrize("name", ["small_resnet", "small_mlp"])
def test_own_nets_learn(name: str) -> None:
    """Dark and bright halves of an image, left or right, are told apart after a few steps."""
    torch.manual_seed(0)
    pictures = torch.rand(64, 1, 8, 8)
    labels = torch.arange(64) % 2
    pictures[labels == 0, :, :, :4] += 1
    pictures[labels == 1, :, :, 4:] += 1
    model = classifier(name, classes=2, channels=1, width=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(pictures), labels).backward()
        optimizer.step()
    assert (model.eval()(pictures).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize(
    "name", ["alexnet", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5", "googlenet", "mnasnet0_5"]
)
def test_torchvision_models_take_other_bands(name: str) -> None:
    model = classifier(f"torchvision/{name}", classes=3, channels=5)
    assert model.train()(images(channels=5)).shape == (2, 3)


def test_inceptions_give_one_tensor_and_prepare_images_for_their_weights_only() -> None:
    model: Any = classifier("torchvision/googlenet", classes=3)
    assert isinstance(model.train()(images(channels=3)), torch.Tensor)
    assert model.transform_input is False


@pytest.mark.parametrize("name", ["test_vit", "swin_s3_tiny_224"])
def test_transformers_take_other_sizes_than_they_are_made_for(name: str) -> None:
    small = {} if name == "test_vit" else {"embed_dim": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
    assert classifier(name, classes=3, **small)(images(64, 96, channels=3)).shape == (2, 3)


def test_a_transformer_can_be_made_for_one_size() -> None:
    model = classifier("vit_tiny_patch16_224", classes=3, img_size=64, depth=1)
    with pytest.raises(AssertionError, match="Input height"):
        model(images(96, 96, channels=3))


def test_options_reach_the_library() -> None:
    model: Any = classifier("resnet18", classes=3, drop_rate=0.25)
    assert model.drop_rate == 0.25


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"foo": 1}, r"timm/resnet18: cannot be built with \{foo: 1\}"),
        ("resnet18", {"in_chans": 1}, "timm/resnet18: 'in_chans' is no option"),
        ("resnet18.nope", {}, "Invalid pretrained tag"),
        ("torchvision/resnet18", {"foo": 1}, r"torchvision/resnet18: cannot be built"),
        ("small_resnet", {"widht": 8}, r"small_resnet: cannot be built with \{widht: 8\}"),
        ("small_resnet", {"pretrained": True}, "small_resnet: has no pretrained weights"),
        ("small_resnet", {"channels": 0}, "small_resnet: 'channels' is 0"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SightlineError, match=message):
        classifier(name, classes=3, **options)
