from typing import Any

import pytest
import torch

from sightline.engine.parameters import freeze
from sightline.models import classifier, segmenter
from tests.models.sizes import images, small_segmenter


@pytest.mark.parametrize(("taps", "indices"), [(1, [5]), (2, [2, 5]), (4, [0, 2, 3, 5]), (6, list(range(6)))])
def test_blocks_are_evenly_spaced_and_end_with_the_last(taps: int, indices: list[int]) -> None:
    model: Any = segmenter("dinov2", encoder="test_vit", classes=2, taps=taps)
    assert model._indices == indices


def test_weights_of_the_vit_are_its_encoder(tmp_path: Any) -> None:
    source = classifier("test_vit", classes=3)
    torch.save(source.state_dict(), tmp_path / "vit.pt")
    model = segmenter("dinov2", encoder="test_vit", classes=2, pretrained=tmp_path / "vit.pt")
    ours = model.get_submodule("encoder").state_dict()
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("name", ["dinov2", "dinov3"])
def test_only_the_head_learns_on_a_frozen_encoder(name: str) -> None:
    model = small_segmenter(name)
    frozen = freeze(model, ["encoder.*"])
    model(images()).sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters()} - set(frozen)
    assert {name.partition(".")[0] for name in trained} == {"join", "upsampling", "head"}
