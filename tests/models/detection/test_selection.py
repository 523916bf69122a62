import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.box_selection import BoxSelection
from sightline.models.detection import select_boxes

# Few different scores and places, so that there are ties, and empty and equal boxes.
_SCORES = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.3000001, 0.9, 1.0])
_PLACES = st.one_of(st.integers(0, 6).map(float), st.floats(0, 6, width=32))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_torch_and_numpy_keep_the_same_boxes(data: st.DataObject) -> None:
    images, places, classes = (data.draw(st.integers(low, most)) for low, most in ((1, 2), (0, 8), (1, 3)))
    own = data.draw(st.booleans())
    shape = (images, places, classes, 4) if own else (images, places, 4)

    def draw(values: st.SearchStrategy[float], shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape))
        drawn = data.draw(st.lists(values, min_size=count, max_size=count))
        return np.array(drawn, dtype=np.float32).reshape(shape)

    scores, boxes = draw(_SCORES, (images, places, classes)), draw(_PLACES, shape)
    boxes[..., 2:] += boxes[..., :2]
    selection = BoxSelection(
        score_threshold=data.draw(st.sampled_from([0.0, 0.05, 0.3])),
        nms_threshold=data.draw(st.sampled_from([None, 0.3, 0.5, 1.0])),
        max_detections=data.draw(st.sampled_from([2, 100])),
        max_candidates=data.draw(st.sampled_from([3, 1000])),
    )
    found = select_boxes(selection, torch.from_numpy(scores), torch.from_numpy(boxes))
    assert len(found) == images
    for number, one in enumerate(found):
        expected = selection.select(scores[number], boxes[number])
        for key in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(one[key].numpy(), getattr(expected, key))
            assert one[key].numpy().dtype == getattr(expected, key).dtype
