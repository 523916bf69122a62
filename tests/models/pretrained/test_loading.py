import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sightline.models import classifier
from sightline.models.names import ModelName
from sightline.models.pretrained import load_pretrained

SOURCE = ModelName("timm", "test_vit")


def test_false_loads_nothing() -> None:
    model = classifier("test_vit", classes=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert load_pretrained(model, False, SOURCE, channels=3) is None
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_a_file_says_what_became_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_file(classifier("test_vit", classes=3).state_dict(), tmp_path / "w.safetensors")
    model = classifier("test_vit", classes=2)
    with caplog.at_level(logging.INFO, "sightline"):
        fitted = load_pretrained(model, tmp_path / "w.safetensors", SOURCE, channels=3)
    assert fitted is not None
    assert fitted.new == ["head.weight", "head.bias"]
    assert "tensors loaded, 2 of the model's stay new, 0 not used" in caplog.text


def test_positions_of_another_image_size_are_resampled(tmp_path: Path) -> None:
    """A ViT for images of 160 pixels gives its weights to one for 96: 10 x 10 patches to 6 x 6."""
    old, new = classifier("test_vit", classes=2), classifier("test_vit", classes=2, img_size=96)
    with torch.no_grad():
        old.get_parameter("pos_embed").fill_(0.5)
    torch.save(old.state_dict(), tmp_path / "w.pt")
    load_pretrained(new, tmp_path / "w.pt", SOURCE, channels=3)
    positions = new.get_parameter("pos_embed")
    assert positions.shape[1] < old.get_parameter("pos_embed").shape[1]
    torch.testing.assert_close(positions, torch.full_like(positions, 0.5))
