"""RT-DETR and D-FINE at sizes that are quick to train."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import SightlineError
from sightline.models.detection import Detector, detector

_WIDTHS: dict[str, Any] = {
    "d_model": 32,
    "encoder_hidden_dim": 32,
    "encoder_ffn_dim": 32,
    "encoder_in_channels": [16, 32, 64],
    "encoder_attention_heads": 4,
    "decoder_in_channels": [32, 32, 32],
    "decoder_ffn_dim": 32,
    "decoder_attention_heads": 4,
    "decoder_layers": 2,
    "hidden_expansion": 0.5,
    "num_queries": 12,
}
_RESNET = {
    "model_type": "rt_detr_resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 16, 32, 64],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
EMPTY = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


def _tiny(**options: Any) -> Detector:
    torch.manual_seed(0)
    settings = {"classes": 4, "backbone_config": _RESNET} | _WIDTHS | options
    return detector("transformers/rt_detr_r18", **settings)


def test_learns_labels_from_0() -> None:
    images = torch.zeros(1, 3, 64, 96)
    images[:, :, 10:40, 20:60] = 1.0
    target = {"boxes": torch.tensor([[20.0, 10, 60, 40]]), "labels": torch.tensor([2])}
    model = _tiny(num_denoising=10)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(40):
        losses, _ = model(images, [target])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    with torch.no_grad():
        (found,) = model.eval().detections(model(images))
    assert found["labels"][0] == 2


def test_losses_and_boxes_are_the_librarys_in_our_terms() -> None:
    model: Any = _tiny()
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    targets = [{"boxes": torch.tensor([[12.0, 16, 60, 48]]), "labels": torch.tensor([3])}, EMPTY]
    model.eval()
    with torch.no_grad():
        losses, (scores, boxes) = model(images, targets)
        label = {"boxes": torch.tensor([[0.375, 0.5, 0.5, 0.5]]), "class_labels": torch.tensor([3])}
        nothing = {"boxes": torch.zeros(0, 4), "class_labels": torch.zeros(0, dtype=torch.int64)}
        said = model.network(pixel_values=images, labels=[label, nothing])
    assert set(losses) == {"vfl", "bbox", "giou"}
    assert sum(losses.values()).item() == pytest.approx(said.loss.item(), rel=1e-5)
    x, y, width, height = (said.pred_boxes * torch.tensor([96.0, 64, 96, 64])).unbind(dim=2)
    corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=2)
    assert torch.allclose(boxes, corners.clamp(min=0).minimum(torch.tensor([96.0, 64, 96, 64])), atol=1e-4)
    assert torch.allclose(scores, said.logits.sigmoid())
    assert model.loss_weight(targets) == 1


def test_images_of_unsuitable_sizes_are_refused() -> None:
    with pytest.raises(SightlineError, match=r"64x80 .* no multiples of 32; .*`multiple: 32`"):
        _tiny().eval()(torch.zeros(1, 3, 64, 80))
    with pytest.raises(SightlineError, match="32x32 have 21 places, fewer than its num_queries 100"):
        _tiny(num_queries=100).eval()(torch.zeros(1, 3, 32, 32))


def test_statistics_are_frozen_only_with_weights(tmp_path: Path) -> None:
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in _backbone(_tiny()).modules())
    save_file({key: one.clone() for key, one in _tiny().state_dict().items()}, tmp_path / "own.safetensors")
    trained = _tiny(pretrained=tmp_path / "own.safetensors")
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in _backbone(trained).modules())


def test_weights_of_other_classes_fill_all_but_what_depends_on_them(tmp_path: Path) -> None:
    other = _tiny(classes=7, freeze_backbone_batch_norms=True)
    weights = {key: torch.full_like(one, 0.25) for key, one in other.network.state_dict().items()}
    save_file(weights, tmp_path / "seven.safetensors")
    model = _tiny(pretrained=tmp_path / "seven.safetensors")
    numbers = {key: one for key, one in model.state_dict().items() if one.is_floating_point()}
    new = {key for key, one in numbers.items() if not (one == 0.25).all()}
    assert new
    assert all("class_embed" in key or "enc_score_head" in key for key in new)


def test_published_weights_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SightlineError, match=r"\(PekingU/rtdetr_r18vd\) are not on this"):
        _tiny(pretrained=True)


def test_without_transformers_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SightlineError, match=r"needs the library transformers; .*sightline\[transformers\]"):
        _tiny()


def _backbone(model: Any) -> torch.nn.Module:
    return model.network.model.backbone
