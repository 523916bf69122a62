"""Weights are fetched from the libraries' own caches, filled by hand, with the network cut off."""

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from sightline.errors import SightlineError
from sightline.models import classifier, segmenter
from sightline.models.names import ModelName, resolved
from sightline.models.pretrained.sources import WEIGHTS, source_of
from sightline.models.pretrained.store import pull, pulled, weights_folder

COMMIT = "0" * 40


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no cache, no weights."""

    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SIGHTLINE_WEIGHTS", str(tmp_path / "weights"))
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)


def in_hub_cache(tmp_path: Path, repository: str, weights: dict[str, torch.Tensor]) -> None:
    folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    save_file(weights, folder / "snapshots" / COMMIT / "model.safetensors")


def named(name: str) -> ModelName:
    return resolved(name, WEIGHTS, "model")


def test_weights_of_timm(tmp_path: Path) -> None:
    weights = classifier("test_resnet", classes=1000).state_dict()
    in_hub_cache(tmp_path, "timm/test_resnet.r160_in1k", weights)
    stored = pull(named("test_resnet"))
    assert stored.name == "timm/test_resnet.r160_in1k"
    assert stored.licence == "apache-2.0"
    assert stored.path == tmp_path / "weights" / "timm" / "test_resnet.r160_in1k.safetensors"
    assert torch.equal(load_file(stored.path)["conv1.0.weight"], weights["conv1.0.weight"])
    assert pulled() == [stored]

    (tmp_path / "hub").rename(tmp_path / "gone")  # what was pulled is enough
    model = classifier("test_resnet", classes=3, pretrained=True)
    assert torch.equal(model.state_dict()["conv1.0.weight"], weights["conv1.0.weight"])
    parts = segmenter("unet", encoder="tu-test_resnet", classes=2, pretrained=True).state_dict()
    assert torch.equal(parts["encoder.model.layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])
    assert pull(named("test_resnet.r160_in1k")) == stored


def test_a_cache_of_the_library_is_enough(tmp_path: Path) -> None:
    weights = classifier("test_resnet", classes=1000).state_dict()
    in_hub_cache(tmp_path, "timm/test_resnet.r160_in1k", weights)
    torch.manual_seed(0)
    model = classifier("test_resnet", classes=3, channels=1, pretrained=True)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    classifier("test_resnet", classes=3, channels=1)
    assert torch.equal(torch.rand(1), drawn)  # what is random afterwards does not depend on the weights
    torch.testing.assert_close(
        model.state_dict()["conv1.0.weight"], weights["conv1.0.weight"].sum(1, keepdim=True)
    )
    assert pulled() == []


def test_weights_of_torchvision(tmp_path: Path) -> None:
    weights = classifier("torchvision/squeezenet1_1", classes=1000).state_dict()
    cached = tmp_path / "torch" / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    cached.parent.mkdir(parents=True)
    torch.save(weights, cached)
    stored = pull(named("torchvision/squeezenet1_1"), output=tmp_path / "own.safetensors")
    assert stored.path == tmp_path / "own.safetensors"
    assert stored.address.endswith("squeezenet1_1-b8a52dc0.pth")
    model = classifier("torchvision/squeezenet1_1", classes=3, pretrained=stored.path)
    assert torch.equal(model.state_dict()["features.0.weight"], weights["features.0.weight"])
    model = classifier("torchvision/squeezenet1_1", classes=3, pretrained=True)
    assert torch.equal(model.state_dict()["features.0.weight"], weights["features.0.weight"])


def test_weights_of_segmentation_models(tmp_path: Path) -> None:
    weights = segmenter("segformer", classes=2).get_submodule("encoder").state_dict()
    folder = tmp_path / "hub" / "models--smp-hub--mit_b0.imagenet" / "snapshots"
    revision = source_revision("mit_b0")
    (folder / revision).mkdir(parents=True)
    save_file(weights, folder / revision / "model.safetensors")
    model = segmenter("segformer", classes=2, channels=2, pretrained=True)
    name = "block1.0.attn.q.weight"
    assert torch.equal(model.state_dict()[f"encoder.{name}"], weights[name])


def source_revision(encoder: str) -> str:
    from segmentation_models_pytorch.encoders import encoders

    return encoders[encoder]["pretrained_settings"]["imagenet"]["revision"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_resnet", "timm/test_resnet.r160_in1k: .*huggingface.co cannot be reached: Network is unreach"),
        ("torchvision/alexnet", "torchvision/alexnet: .*Network is unreachable"),
        ("smp/mit_b1", "smp/mit_b1: .*huggingface.co cannot be reached"),
        ("transformers/rt_detr_r18", "transformers/rt_detr_r18: .*huggingface.co cannot be reached"),
    ],
)
def test_without_a_network_it_says_so(name: str, reason: str) -> None:
    with pytest.raises(SightlineError, match=reason):
        pull(named(name))


def test_a_model_says_how_to_come_by_its_weights() -> None:
    with pytest.raises(
        SightlineError,
        match=r"Run `sightline weights pull timm/test_resnet.r160_in1k` where there is a network",
    ):
        classifier("test_resnet", classes=3, pretrained=True)


def test_the_hub_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SightlineError, match="HF_HUB_OFFLINE is set"):
        pull(named("test_resnet"))


def test_models_without_weights_are_named() -> None:
    with pytest.raises(
        SightlineError, match=r"timm/test_resnet.zz: there are no such weights; there are: test"
    ):
        pull(named("test_resnet.zz"))
    with pytest.raises(SightlineError, match="its library has no pretrained weights"):
        pull(named("vit_base_patch16_18x2_224"))
    with pytest.raises(SightlineError, match="choose such a name"):
        pull(named("test_resnet"), output=Path("weights.pt"))


def test_a_damaged_file_is_named() -> None:
    path = weights_folder() / "timm" / "broken.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing")
    with pytest.raises(SightlineError, match=r"broken.safetensors: is not .* remove it and pull it again"):
        pulled()


def test_every_source_says_where_it_is() -> None:
    for name in ("resnet18", "vit_small_patch14_dinov2", "torchvision/vit_h_14", "smp/vgg11"):
        assert source_of(named(name)).address.startswith("https://")
    assert source_of(named("vit_small_patch16_dinov3")).licence == "dinov3-license"
    assert "SWAG" in source_of(named("torchvision/vit_h_14")).licence
