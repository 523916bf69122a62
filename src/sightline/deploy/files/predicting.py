"""A stream of images through a model, in batches, in order."""

from collections.abc import Iterable, Iterator
from contextlib import closing

from sightline.data.predictions import Prediction
from sightline.data.progress import in_order
from sightline.deploy.files.reading import Ended, Item, Loaded
from sightline.deploy.predictor import Predictor
from sightline.errors import SightlineError

_WINDOW = 4  # batches that are gathered where images have several sizes
_MOST_BYTES = 128 << 20  # of pixels that are gathered
_AHEAD = 4  # batches for each thread of the model, which must not wait for the one that reads

Judged = tuple[Item, Prediction | None]
"""An item with what the model says of it; None with the end of a file."""


def predicted(predictor: Predictor, items: Iterable[Item]) -> Iterator[list[Judged]]:
    """All ``items``, some at a time, with predictions. A file that the model fails at ends with that."""
    failed: dict[str, str] = {}
    parallel = predictor.session.parallel

    def judged(window: list[Item]) -> tuple[list[Item], list[Prediction | SightlineError]]:
        return window, _found(predictor, [item for item in window if isinstance(item, Loaded)])

    windows = _windows(items, predictor.batch_size)
    with closing(in_order(judged, windows, parallel, ahead=_AHEAD * parallel)) as ready:
        for window, found in ready:
            yield _settled(window, found, failed)


def _windows(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Items with a batch of images of one size, or several where sizes differ."""
    window: list[Item] = []
    shapes: set[tuple[int, ...]] = set()
    images = pixels = 0
    for item in items:
        window.append(item)
        if not isinstance(item, Loaded):
            continue
        shapes.add(item.fitted.pixels.shape)
        images += 1
        pixels += item.fitted.pixels.nbytes
        wanted = batch_size if len(shapes) == 1 else _WINDOW * batch_size
        if images >= wanted or pixels > _MOST_BYTES:
            yield window
            window, shapes, images, pixels = [], set(), 0, 0
    if window:
        yield window


def _found(predictor: Predictor, loaded: list[Loaded]) -> list[Prediction | SightlineError]:
    """What the model says of each image, or what was wrong with it."""
    try:
        return [*predictor.predict_fitted([item.fitted for item in loaded])]
    except SightlineError as error:
        return [error] if len(loaded) == 1 else [one for item in loaded for one in _found(predictor, [item])]


def _settled(
    window: list[Item], found: list[Prediction | SightlineError], failed: dict[str, str]
) -> list[Judged]:
    """The items with what was found; ``failed`` are the files at hand that the model failed at."""
    predictions = iter(found)
    result: list[Judged] = []
    for item in window:
        path = item.source.path
        if isinstance(item, Loaded):
            prediction = next(predictions)
            if isinstance(prediction, SightlineError):
                failed[path] = f"{path}: {prediction}"
            else:
                result.append((item, prediction))
        elif path in failed:
            result.append((Ended(item.source, failed.pop(path), kept=False), None))
        else:
            result.append((item, None))
    return result
