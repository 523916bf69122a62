"""A stream of images through a model, in batches, in order."""

from collections.abc import Iterable, Iterator

from sightline.data.predictions import Prediction
from sightline.deploy.files.reading import Ended, Item, Loaded
from sightline.deploy.predictor import Predictor
from sightline.errors import SightlineError

_WINDOW = 4  # batches that are gathered where images have several sizes
_MOST_BYTES = 256 << 20  # of pixels that are gathered

Judged = tuple[Item, Prediction | None]
"""An item with what the model says of it; None with the end of a file."""


def predicted(predictor: Predictor, items: Iterable[Item]) -> Iterator[list[Judged]]:
    """All ``items``, some at a time, with predictions. A file that the model fails at ends with that."""
    failed: dict[str, str] = {}
    window: list[Item] = []
    for item in items:
        window.append(item)
        if _is_full([one for one in window if isinstance(one, Loaded)], predictor.batch_size):
            yield _settled(predictor, window, failed)
            window = []
    if window:
        yield _settled(predictor, window, failed)


def _is_full(loaded: list[Loaded], batch_size: int) -> bool:
    if len(loaded) >= batch_size:
        shapes = {one.fitted.pixels.shape for one in loaded}
        if len(shapes) == 1 or len(loaded) >= _WINDOW * batch_size:
            return True
    return sum(one.fitted.pixels.nbytes for one in loaded) > _MOST_BYTES


def _settled(predictor: Predictor, window: list[Item], failed: dict[str, str]) -> list[Judged]:
    loaded = [item for item in window if isinstance(item, Loaded)]
    try:
        found = iter(predictor.predict_fitted([item.fitted for item in loaded]))
    except SightlineError:
        found = iter([_alone(predictor, item, failed) for item in loaded])
    result: list[Judged] = []
    for item in window:
        path = item.source.path
        if isinstance(item, Loaded):
            prediction = next(found)
            if prediction is not None:
                result.append((item, prediction))
        elif path in failed:
            result.append((Ended(item.source, failed.pop(path), kept=False), None))
        else:
            result.append((item, None))
    return result


def _alone(predictor: Predictor, item: Loaded, failed: dict[str, str]) -> Prediction | None:
    """What the model says of one image; where it fails at that, its file is one of the failed."""
    try:
        return predictor.predict_fitted([item.fitted])[0]
    except SightlineError as error:
        failed[item.source.path] = f"{item.source.path}: {error}"
        return None
