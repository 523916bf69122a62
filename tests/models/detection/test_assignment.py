import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.models.detection.assignment import Assignment, assign, boxes_of

SIZE, STRIDE = 64, 8
PLACES = (SIZE // STRIDE) ** 2
CENTRES = (torch.arange(SIZE // STRIDE) + 0.5) * STRIDE
POINTS = torch.stack([CENTRES.repeat(8), CENTRES.repeat_interleave(8)], dim=1)


def _target(*boxes: tuple[float, ...], labels: list[int] | None = None) -> dict[str, torch.Tensor]:
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.tensor(labels if labels is not None else [0] * len(boxes), dtype=torch.int64),
    }


def _around(points: torch.Tensor, reach: float) -> torch.Tensor:
    return torch.cat([points - reach, points + reach], dim=1)


def _assigned(
    targets: list[dict[str, torch.Tensor]], scores: torch.Tensor, boxes: torch.Tensor, most: int = 10
) -> Assignment:
    return assign(scores, boxes, POINTS, STRIDE, boxes_of(targets), most=most)


def test_the_places_that_overlap_most_learn_a_box() -> None:
    boxes = _around(POINTS, 8.0)[None]
    found = _assigned([_target((18, 18, 34, 34))], torch.full((1, PLACES, 1), 0.5), boxes, most=4)
    inside = {2 * 8 + 2, 2 * 8 + 3, 3 * 8 + 2, 3 * 8 + 3}  # centres at 20 and 28
    assert set(found.places[0].tolist()) == inside
    best = found.places[0, found.quality[0].argmax()]
    assert best == 3 * 8 + 3  # whose box reaches from 20 to 36
    assert torch.isclose(found.quality.max(), torch.tensor(14.0**2 / (2 * 16**2 - 14**2)))


def test_a_sure_place_is_preferred() -> None:
    scores = torch.full((1, PLACES, 2), 0.1)
    scores[0, 9, 1] = 0.9
    boxes = torch.tensor([[4.0, 4, 28, 28]]).expand(1, PLACES, 4)
    found = _assigned([_target((4, 4, 28, 28), labels=[1])], scores, boxes, most=1)
    assert found.places.tolist() == [[9]]
    other = _assigned([_target((4, 4, 28, 28), labels=[0])], scores, boxes, most=9)
    assert other.quality[0].tolist() == [1.0] * 9  # the score of another class says nothing


def test_quality_is_scaled_to_the_best_overlap() -> None:
    boxes = _around(POINTS, 6.0)[None]
    found = _assigned([_target((8, 8, 24, 24))], torch.full((1, PLACES, 1), 0.3), boxes)
    overlap = 100 / (144 + 256 - 100)  # of 6..18 with 8..24, in both directions
    assert torch.allclose(found.quality[0, :4], torch.full((4,), overlap))
    assert (found.quality[0, 4:] == 0).all()  # there are but four places in the box


def test_a_place_that_two_boxes_want_goes_to_the_one_it_overlaps_more() -> None:
    boxes = torch.tensor([[8.0, 8, 24, 24]]).expand(1, PLACES, 4)
    targets = [_target((8, 8, 24, 24), (8, 8, 32, 32), labels=[0, 1])]
    found = _assigned(targets, torch.full((1, PLACES, 2), 0.5), boxes, most=9)
    responsible = [set(places[quality > 0].tolist()) for places, quality in zip(*found, strict=True)]
    assert responsible[0] == {9, 10, 17, 18}
    assert responsible[1]
    assert not responsible[0] & responsible[1]


def test_a_box_between_the_places_has_the_ones_next_to_it() -> None:
    boxes = _around(POINTS, 4.0)[None]
    found = _assigned([_target((31.5, 31.5, 32.5, 32.5))], torch.full((1, PLACES, 1), 0.5), boxes)
    assert set(found.places[0][found.quality[0] > 0].tolist()) == {27, 28, 35, 36}


def test_two_boxes_that_nothing_overlaps_yet_are_both_learned() -> None:
    boxes = torch.tensor([[0.0, 0, 64, 64]]).expand(1, PLACES, 4)
    targets = [_target((31.9, 31.9, 32.0, 32.0), (32.0, 32.0, 32.1, 32.1), labels=[0, 1])]
    found = _assigned(targets, torch.full((1, PLACES, 2), 0.5), boxes)
    assert (found.quality.amax(dim=1) > 0).all()


def test_images_have_places_of_their_own() -> None:
    boxes = _around(POINTS, 8.0).expand(3, PLACES, 4)
    box = (8.0, 8.0, 24.0, 24.0)
    found = _assigned([_target(box), _target(), _target(box)], torch.full((3, PLACES, 1), 0.5), boxes)
    assert (found.places[1] - found.places[0] == 2 * PLACES).all()
    assert torch.equal(found.quality[0], found.quality[1])


def test_no_boxes_at_all() -> None:
    found = _assigned([_target()], torch.full((1, PLACES, 1), 0.5), _around(POINTS, 8.0)[None])
    assert found.places.shape == found.quality.shape == (0, 10)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_box_is_learned_by_its_own_places_unless_others_have_them_all(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    counts = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=3))
    targets = []
    for count in counts:
        corners = torch.rand(count, 2, generator=generator) * (SIZE - 4)
        sizes = 4 + torch.rand(count, 2, generator=generator) ** 3 * SIZE  # too large to tie at a thousandth
        boxes = torch.cat([corners, (corners + sizes).clamp(max=SIZE)], dim=1)
        targets.append({"boxes": boxes, "labels": torch.randint(3, (count,), generator=generator)})
    scores = torch.rand(len(counts), PLACES, 3, generator=generator)
    reach = torch.rand(len(counts), PLACES, 4, generator=generator) * 40
    boxes = torch.cat([POINTS - reach[..., :2], POINTS + reach[..., 2:]], dim=2)
    found = _assigned(targets, scores, boxes)

    truth = boxes_of(targets)
    assert ((found.quality >= 0) & (found.quality <= 1)).all()
    assert (found.places // PLACES == truth.images[:, None]).all()
    taken = found.places[found.quality > 0]
    assert len(taken.unique()) == len(taken)
    points = POINTS[found.places % PLACES]
    middle = (truth.boxes[:, None, :2] + truth.boxes[:, None, 2:]) / 2
    half = (truth.boxes[:, None, 2:] - truth.boxes[:, None, :2]).clamp(min=STRIDE) / 2
    inside = ((points - middle).abs() <= half).all(dim=2)
    assert (inside | (found.quality == 0)).all()
    lonely = torch.bincount(truth.images, minlength=len(counts))[truth.images] == 1
    assert (found.quality[lonely] > 0).any(dim=1).all()
