"""What a script logs, as plain NumPy arrays of one form: copies, since the script may go on to change it.

Arrays and tensors are recognised by what they can do, so that torch is never imported here. A tensor on a
GPU is read on the thread that writes: `snapshot` only queues a copy.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.errors import SightlineError
from sightline.runs.deferred import on_device

Array = np.ndarray
Later = Callable[[], Array]
"""Gives an array when called; called once, on the thread that writes."""

_LOG = logging.getLogger(__name__)
_WARNED: set[str] = set()


def snapshot(where: str, value: Any) -> Later:
    """A copy of an array, tensor or sequence of numbers, as it is now.

    Raises:
        SightlineError: something else, or rows of different lengths.
    """
    if on_device(value):
        torch: Any = sys.modules["torch"]
        copy = value.detach().clone()
        event = torch.Event(copy.device)
        event.record(torch.accelerator.current_stream(copy.device))

        def fetch() -> Array:
            event.synchronize()
            return _plain(copy.cpu())

        return fetch
    if hasattr(value, "detach"):
        array = _plain(value.detach().clone())
    else:
        try:
            array = np.array(value)
        except ValueError as error:
            raise SightlineError(f"{where}: its rows differ in length; give an array.") from error
        except (TypeError, RuntimeError) as error:  # a list of tensors on a GPU, or with gradients
            raise SightlineError(f"{where}: is a list of tensors; stack them to one.") from error
    if array.dtype.kind not in "buif":
        raise SightlineError(
            f"{where}: is of type {type(value).__name__}; give an array or tensor of numbers."
        )
    return lambda: array


def image(where: str, value: Any) -> Later:
    """One image: uint8 RGB of shape (height, width, 3).

    ``value`` is an array or tensor of shape (H, W), (H, W, 1), (H, W, 3), (1, H, W) or (3, H, W), uint8, bool
    or floats from 0 to 1, a PIL image or the path of an image file.

    Raises:
        SightlineError: something else, or a file that cannot be read.
    """
    if isinstance(value, (str, Path)):
        value = _read(where, Path(value))
    if isinstance(value, Image.Image):
        pixels = np.array(value.convert("RGB"))
        return lambda: pixels
    _check_shape(where, getattr(value, "shape", None), (2, 3))
    later = snapshot(where, value)
    return lambda: to_rgb(later(), where)


def images(where: str, value: Any) -> list[Later]:
    """Several images: a sequence of what `image` takes, or one array whose first axis counts them.

    Raises:
        SightlineError: something else, no images at all, or as `image`.
    """
    shape = getattr(value, "shape", None)
    if shape is None and isinstance(value, Iterable) and not isinstance(value, (str, Path)):
        found = [image(f"{where}, image {number}", one) for number, one in enumerate(value)]
    else:
        shape = _check_shape(where, shape, (3, 4), " of images")
        if len(shape) == 3:
            found = [image(where, one) for one in value]  # (N, H, W): grey
        else:
            _check_channels(where, shape[1:])
            later = snapshot(where, value)
            return _each(later, shape[0], where)
    if not found:
        raise SightlineError(f"{where}: holds no image; log at least one.")
    return found


def _each(later: Later, count: int, where: str) -> list[Later]:
    """One array of images, fetched once."""
    if not count:
        raise SightlineError(f"{where}: holds no image; log at least one.")
    fetched: list[Array] = []

    def nth(number: int) -> Array:
        if not fetched:
            fetched.append(later())
        return to_rgb(fetched[0][number], where)

    return [lambda number=number: nth(number) for number in range(count)]


def frames(where: str, value: Any) -> Later:
    """A video: uint8 RGB of shape (frames, height, width, 3), from what `images` takes.

    Raises:
        SightlineError: as `images`; frames of different sizes are found when it is called.
    """
    found = images(where, value)

    def stack() -> Array:
        arrays = [one() for one in found]
        if len({array.shape for array in arrays}) > 1:
            raise SightlineError(f"{where}: its frames differ in size; give frames of one size.")
        return np.stack(arrays)

    return stack


def boxes(where: str, value: Any) -> Later:
    """Boxes as floats of shape (boxes, 4): left, top, right, bottom in pixels.

    Raises:
        SightlineError: another shape.
    """
    later = snapshot(where, value)
    shape = tuple(getattr(value, "shape", ())) or later().shape
    if shape == (0,):
        return lambda: np.zeros((0, 4))
    if len(shape) != 2 or shape[1] != 4:
        raise SightlineError(
            f"{where}: the boxes have shape {shape}; give (boxes, 4): left, top, right, bottom in pixels."
        )
    return lambda: later().astype(np.float64)


def masks(where: str, value: Any) -> tuple[Later, int | None]:
    """A class map (height, width) and None, or masks (objects, height, width) and how many.

    Raises:
        SightlineError: another shape.
    """
    later = snapshot(where, value)
    shape = tuple(value.shape) if hasattr(value, "shape") else later().shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise SightlineError(
            f"{where}: the masks have shape {shape}; give a class map (H, W) or a mask per object (N, H, W)."
        )
    return later, None if len(shape) == 2 else shape[0]


def names(where: str, value: Any, count: int) -> list[str] | None:
    """``count`` texts, from texts or numbers; None stays None.

    Raises:
        SightlineError: another number of them.
    """
    return None if value is None else [str(one) for one in _listed(where, value, count, "names or labels")]


def scores(where: str, value: Any, count: int) -> list[float] | None:
    """``count`` numbers; None stays None.

    Raises:
        SightlineError: another number of them, or other things.
    """
    if value is None:
        return None
    try:
        return [float(one) for one in _listed(where, value, count, "scores")]
    except (TypeError, ValueError) as error:
        raise SightlineError(f"{where}: the scores are not numbers; give one from 0 to 1 per box.") from error


def _listed(where: str, value: Any, count: int, what: str) -> list[Any]:
    found = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise SightlineError(f"{where}: the {what} are {found!r:.60}; give a list of {count}.")
    found = [one.item() if hasattr(one, "item") else one for one in found]
    if len(found) != count:
        raise SightlineError(f"{where}: it has {len(found)} {what} for {count}; give one for each.")
    return found


def table(where: str, value: Any, columns: Sequence[str] | None) -> Any:
    """A polars frame, from one, from a mapping of columns, from mappings as rows, or from rows and the
    names of their ``columns``.

    Raises:
        SightlineError: polars cannot make a table of it.
    """
    import polars as pl

    try:
        if isinstance(value, pl.LazyFrame):
            return value.collect()
        if isinstance(value, pl.DataFrame):
            return value.clone()
        if columns is None and not isinstance(value, Mapping):
            rows = list(value) if isinstance(value, Iterable) and not hasattr(value, "columns") else value
            if isinstance(rows, list) and not all(isinstance(row, Mapping) for row in rows):
                raise SightlineError(f"{where}: its rows have no names; give columns=[...].")
            return pl.DataFrame(rows)
        if columns is None:
            return pl.DataFrame(value)
        return pl.DataFrame([list(row) for row in value], schema=list(columns), orient="row")
    except SightlineError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SightlineError(f"{where}: no table can be made of it ({reason}).") from error


def to_rgb(array: Array, where: str) -> Array:
    """An image array in any of the forms of `image`, as uint8 RGB."""
    if array.ndim == 3:
        if array.shape[-1] not in (1, 3):
            array = np.moveaxis(array, 0, -1)
        if array.shape[-1] == 1:
            array = array[..., 0]
    if array.dtype.kind == "f":
        _warn_of_range(array, where)
        array = (np.nan_to_num(np.clip(array, 0, 1)) * 255).round().astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        if array.size and (array.min() < 0 or array.max() > 255):
            raise SightlineError(
                f"{where}: its values reach from {array.min()} to {array.max()}; "
                "give uint8, or floats from 0 to 1."
            )
        array = array.astype(np.uint8)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return np.ascontiguousarray(array)


def histogram(values: Array, bins: int) -> tuple[Array, Array]:
    """Counts (bins,) and edges (bins + 1,) of the finite values; one bin of none where there are none."""
    numbers = values[np.isfinite(values)].astype(np.float64)
    return np.histogram(numbers, bins if len(numbers) else 1)


def _warn_of_range(array: Array, where: str) -> None:
    if not array.size or where in _WARNED:
        return
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    # A little beyond is what resizing with a sharp filter gives.
    if low < -0.1 or high > 1.1:
        _WARNED.add(where)
        _LOG.warning(
            "%s: its values reach from %.3g to %.3g and are cut off at 0 and 1; "
            "undo the normalisation, or give uint8.",
            where,
            low,
            high,
        )


def _plain(tensor: Any) -> Array:
    # NumPy has no bfloat16.
    return (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()


def _read(where: str, path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            return opened.convert("RGB")
    except FileNotFoundError as error:
        raise SightlineError(f"{where}: {path} is not there; give the path of an image.") from error
    except (OSError, ValueError) as error:
        raise SightlineError(f"{where}: {path} cannot be read as an image ({error}).") from error


def _check_shape(where: str, shape: Any, dimensions: tuple[int, int], what: str = "") -> tuple[int, ...]:
    if shape is None:
        raise SightlineError(f"{where}: is not an image; give an array, a tensor, a PIL image or a path.")
    shape = tuple(shape)
    if len(shape) not in dimensions:
        forms = "(H, W), (H, W, 3) or (3, H, W)" if not what else "(N, H, W), (N, H, W, 3) or (N, 3, H, W)"
        raise SightlineError(f"{where}: has shape {shape}; give an array{what} of shape {forms}.")
    if not what:
        _check_channels(where, shape)
    return shape


def _check_channels(where: str, shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise SightlineError(f"{where}: has shape {shape}, no pixels at all.")
    if len(shape) == 3 and shape[-1] not in (1, 3) and shape[0] not in (1, 3):
        raise SightlineError(
            f"{where}: has shape {shape}; give (H, W), or 1 or 3 channels first or last, as (3, H, W)."
        )
