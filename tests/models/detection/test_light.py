import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sightline.models.detection import Detector, detector

SMALL: dict[str, Any] = {"width": 16, "depth": 1, "backbone_options": {"widths": [8, 8, 16, 16, 16]}}
EMPTY = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


def _small(**options: Any) -> Detector:
    torch.manual_seed(0)
    return detector("light", **({"classes": 3} | SMALL | options)).eval()


def _scene() -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
    """Rectangles on a dark ground: red ones (class 2) and green ones (class 0), and an image of none."""
    boxes = torch.tensor([[6.0, 6, 26, 30], [34, 20, 58, 40], [8, 40, 30, 60]])
    labels = torch.tensor([2, 0, 2])
    images = torch.full((2, 3, 64, 64), -1.0)
    for (left, top, right, bottom), label in zip(boxes.int().tolist(), labels.tolist(), strict=True):
        images[0, 0 if label == 2 else 1, top:bottom, left:right] = 1.0
    return images, [{"boxes": boxes, "labels": labels}, EMPTY]


def test_learns_a_small_scene_by_heart() -> None:
    images, targets = _scene()
    model = _small().train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(80):
        losses, _ = model(images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    model.selection = model.selection.model_copy(update={"score_threshold": 0.4})
    with torch.no_grad():
        found, nothing = model.eval().detections(model(images))
    assert len(nothing["labels"]) == 0
    order = found["boxes"][:, 0].argsort()
    assert found["labels"][order].tolist() == [2, 2, 0]
    expected = targets[0]["boxes"][[0, 2, 1]]
    assert (found["boxes"][order] - expected).abs().max() < 4


@pytest.mark.parametrize(("height", "width"), [(64, 96), (61, 83), (8, 8), (1, 40)])
def test_images_of_any_size(height: int, width: int) -> None:
    with torch.no_grad():
        scores, boxes = _small()(torch.randn(2, 3, height, width))
    places = sum(-(-height // stride) * -(-width // stride) for stride in (8, 16, 32))
    assert scores.shape == (2, places, 3)
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([width, height, width, height])).all()
    assert (boxes[..., 2:] >= boxes[..., :2]).all()


def test_an_untrained_model_looks_around_each_place() -> None:
    with torch.no_grad():
        _, boxes = _small(strides=[16])(torch.zeros(1, 3, 160, 160))
    middle = boxes[0, 5 * 10 + 4]  # the place at (4.5, 5.5) strides
    assert middle.tolist() == pytest.approx([40, 56, 104, 120], abs=4)


@pytest.mark.parametrize("strides", [[4, 8], [16], [8, 16, 32, 64, 128]])
def test_levels_at_other_strides(strides: list[int]) -> None:
    with torch.no_grad():
        scores, _ = _small(strides=strides)(torch.zeros(1, 3, 128, 128))
    assert scores.shape[1] == sum((128 // stride) ** 2 for stride in strides)


@pytest.mark.parametrize(
    ("backbone", "strides", "options"),
    [
        ("test_resnet", [8, 16, 32], {}),
        ("timm/test_efficientnet", [8, 16, 32, 64], {"drop_path_rate": 0.1}),
        ("test_vit", [16, 32], {"dynamic_img_size": True}),
    ],
)
def test_backbones_of_timm(backbone: str, strides: list[int], options: dict[str, Any]) -> None:
    model = _small(backbone=backbone, strides=strides, backbone_options=options, channels=2)
    scores, _ = model(torch.zeros(1, 2, 64, 96))
    assert scores.shape[1] == sum(-(-64 // stride) * -(-96 // stride) for stride in strides)
    scores.sum().backward()
    assert all(one.grad is not None for one in model.backbone.parameters())  # nothing is computed in vain


def test_backbones_whose_features_have_their_channels_last() -> None:
    options = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 1), "img_size": 64, "window_size": 4}
    model = _small(backbone="swin_tiny_patch4_window7_224", strides=[4, 8], backbone_options=options)
    scores, _ = model(torch.zeros(1, 3, 64, 64))
    assert scores.shape[1] == 16**2 + 8**2


def test_weights_of_other_classes_and_bands_fill_all_but_what_depends_on_them(tmp_path: Path) -> None:
    trained = _small(classes=5)
    save_file(trained.state_dict(), tmp_path / "five.safetensors")
    model = _small(channels=4, pretrained=tmp_path / "five.safetensors")
    ours, theirs = model.state_dict(), trained.state_dict()
    differ = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    first = "backbone.stages.0.0.convolution.weight"
    assert differ == {"head.classify.weight", "head.classify.bias", first}
    assert torch.allclose(ours[first][:, :3], theirs[first] * 3 / 4)


def test_weights_of_the_backbone_alone(tmp_path: Path) -> None:
    trained = _small().backbone
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.fill_(0.5)
    save_file(trained.state_dict(), tmp_path / "backbone.safetensors")
    model = _small(pretrained=tmp_path / "backbone.safetensors")
    assert all((parameter == 0.5).all() for parameter in model.backbone.parameters())
    assert not (model.head.edges.weight == 0.5).any()


def test_half_precision_gives_finite_losses_in_full() -> None:
    images, targets = _scene()
    model = _small().train()
    with torch.autocast("cpu", torch.bfloat16):
        losses, _ = model(images, targets)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())


def test_it_can_be_copied_and_sent() -> None:
    images, _ = _scene()
    model = _small()
    with torch.no_grad():
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(other(images)[1], model(images)[1])
