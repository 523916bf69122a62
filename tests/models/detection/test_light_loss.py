import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sightline.models.detection.light_loss import LightLoss

SIZE, STRIDE, CLASSES = 48, 8, 3
CENTRES = (torch.arange(SIZE // STRIDE) + 0.5) * STRIDE
POINTS = torch.cartesian_prod(CENTRES, CENTRES).flip(1)
PLACES = len(POINTS)
LOSS = LightLoss()


def _loss(logits: torch.Tensor, boxes: torch.Tensor, targets: Any) -> dict[str, torch.Tensor]:
    return LOSS(logits, boxes, POINTS, STRIDE, targets)


def _predicted(images: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.randn(images, PLACES, CLASSES, generator=generator)
    reach = torch.rand(images, PLACES, 4, generator=generator) * 20
    return logits, torch.cat([POINTS - reach[..., :2], POINTS + reach[..., 2:]], dim=2)


def _targets(counts: list[int], generator: torch.Generator) -> list[dict[str, torch.Tensor]]:
    targets = []
    for count in counts:
        corners = torch.rand(count, 2, generator=generator) * SIZE * 0.8
        boxes = torch.cat([corners, corners + 1 + torch.rand(count, 2, generator=generator) * 20], dim=1)
        labels = torch.randint(CLASSES, (count,), generator=generator)
        targets.append({"boxes": boxes, "labels": labels})
    return targets


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=4), st.integers(0, 2**31))
def test_the_batch_is_the_mean_of_its_parts_by_their_weight(counts: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    targets = _targets(counts, generator)
    logits, boxes = _predicted(len(counts), generator)
    whole = _loss(logits, boxes, targets)
    parts = [
        (LOSS.weight(targets[part]), _loss(logits[part], boxes[part], targets[part]))
        for part in (slice(0, 1), slice(1, None))
    ]
    for name, value in whole.items():
        mean = sum(weight * part[name] for weight, part in parts) / sum(weight for weight, _ in parts)
        assert value.item() == pytest.approx(float(mean), rel=1e-4)


def test_without_boxes_every_score_is_to_be_0() -> None:
    logits, boxes = _predicted(2, torch.Generator().manual_seed(0))
    logits.requires_grad_()
    losses = _loss(logits, boxes, _targets([0, 0], torch.Generator()))
    scores = logits.sigmoid()
    assert torch.allclose(losses["class"], (scores**2 * F.softplus(logits)).sum() / 2)
    assert losses["box"] == 0
    losses["class"].backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_boxes_that_fit_cost_nothing() -> None:
    target = {"boxes": torch.tensor([[8.0, 8, 32, 40]]), "labels": torch.tensor([1])}
    boxes = target["boxes"].expand(1, PLACES, 4)
    logits = torch.full((1, PLACES, CLASSES), -20.0)
    inside = ((POINTS > 8) & (torch.tensor([32.0, 40.0]) > POINTS)).all(dim=1)
    chosen = inside.nonzero()[:10, 0]  # all score alike, so any ten may be asked
    logits[0, inside, 1] = 20.0
    losses = _loss(logits, boxes, [target])
    assert losses["box"].item() == pytest.approx(0, abs=1e-5)
    spare = int(inside.sum()) - len(chosen)
    assert losses["class"].item() == pytest.approx(spare * 20.0, rel=1e-3)


def test_half_an_overlap_is_what_the_score_is_to_say() -> None:
    target = {"boxes": torch.tensor([[8.0, 8, 24, 24]]), "labels": torch.tensor([2])}
    boxes = torch.tensor([[8.0, 8, 24, 16]]).expand(1, PLACES, 4).clone()
    logits = torch.zeros(1, PLACES, CLASSES, requires_grad=True)
    losses = _loss(logits, boxes, [target])
    assert losses["box"].item() == pytest.approx(2 * (1 - 0.5), abs=1e-5)  # the weight of boxes is 2
    (gradient,) = torch.autograd.grad(losses["class"], logits)
    inside = ((POINTS > 8) & (POINTS < 24)).all(dim=1)
    assert gradient[0, inside, 2].abs().max() < 1e-6  # a score of a half is right here
    assert (gradient[0, ~inside] > 0).all()
    assert (gradient[0, :, :2] > 0).all()


@pytest.mark.parametrize(
    "box", [[10, 10, 10, 10], [20, 5, 20, 40], [-30, -30, -10, -10], [-1e4, -1e4, 1e4, 1e4], [0, 0, 1e-3, 48]]
)
def test_odd_boxes_leave_losses_and_gradients_finite(box: list[float]) -> None:
    targets = [{"boxes": torch.tensor([box] * 3, dtype=torch.float32), "labels": torch.tensor([0, 0, 2])}]
    logits, boxes = (one.requires_grad_() for one in _predicted(1, torch.Generator().manual_seed(0)))
    losses = _loss(logits, boxes, targets)
    sum(losses.values()).backward()
    assert all(math.isfinite(value.item()) for value in losses.values())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert boxes.grad is not None
    assert boxes.grad.isfinite().all()
