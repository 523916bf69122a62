"""Several losses as one."""

import pytest
import torch
from torch import nn

from sightline.config import Component, build
from sightline.errors import SightlineError
from sightline.losses import CrossEntropy, Dice, Focal, WeightedSum

LOGITS, TARGET = torch.linspace(-2, 2, 24).reshape(1, 2, 3, 4), torch.arange(12).reshape(1, 3, 4) % 2


def test_is_the_sum_of_its_parts() -> None:
    loss = WeightedSum([Focal(), Dice()], [2.0, 0.5])
    expected = 2 * Focal()(LOGITS, TARGET) + 0.5 * Dice()(LOGITS, TARGET)
    torch.testing.assert_close(loss(LOGITS, TARGET), expected)
    parts = loss.parts(LOGITS, TARGET)
    torch.testing.assert_close(parts["focal"], 2 * Focal()(LOGITS, TARGET))
    torch.testing.assert_close(parts["dice"], 0.5 * Dice()(LOGITS, TARGET))


def test_weights_are_1_by_default() -> None:
    loss = WeightedSum([Focal(), Focal(gamma=0.0)])
    torch.testing.assert_close(loss(LOGITS, TARGET), Focal()(LOGITS, TARGET) + CrossEntropy()(LOGITS, TARGET))


def test_parts_have_names_of_their_own() -> None:
    loss = WeightedSum([CrossEntropy(), Dice(), CrossEntropy(0.1), WeightedSum([Dice()])])
    assert list(loss.parts(LOGITS, TARGET)) == ["cross_entropy", "dice", "cross_entropy_2", "weighted_sum"]


def test_takes_any_module() -> None:
    class Flat(nn.Module):
        def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return logits.float().mean() + target.sum() * 0

    loss = WeightedSum([Flat(), Dice()], [3.0, 1.0])
    torch.testing.assert_close(loss(LOGITS, TARGET), 3 * LOGITS.mean() + Dice()(LOGITS, TARGET))


def test_is_built_from_a_spec() -> None:
    spec = {
        "class_path": "sightline.losses.WeightedSum",
        "init_args": {
            "losses": [
                {
                    "class_path": "sightline.losses.Focal",
                    "init_args": {"gamma": 1.5, "class_weights": [1, 3]},
                },
                {"class_path": "sightline.losses.Dice", "init_args": {"smooth": 1.0}},
            ],
            "weights": [1.0, 0.5],
        },
    }
    loss = build(Component.model_validate(spec))
    by_hand = WeightedSum([Focal(1.5, [1.0, 3.0]), Dice(1.0)], [1.0, 0.5])
    assert torch.equal(loss(LOGITS, TARGET), by_hand(LOGITS, TARGET))


def test_says_what_it_ignores() -> None:
    assert WeightedSum([Dice(ignore_index=7), Focal(ignore_index=7)]).ignore_index == 7
    assert WeightedSum([Dice()]).ignore_index == 255
    with pytest.raises(SightlineError, match=r"ignore_index \[7, 255\]"):
        WeightedSum([Dice(ignore_index=7), Focal()])


def test_what_cannot_be_added_is_refused() -> None:
    with pytest.raises(SightlineError, match="losses is empty"):
        WeightedSum([])
    with pytest.raises(SightlineError, match="1 weights for 2 losses"):
        WeightedSum([Dice(), Focal()], [1.0])
