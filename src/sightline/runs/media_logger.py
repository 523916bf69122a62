"""Logging what is not a number: texts, histograms, pictures, videos and tables."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from sightline.errors import SightlineError
from sightline.runs.media_files import Draft
from sightline.runs.metrics_writer import check_name, whole_step
from sightline.runs.records import ConfusionMatrix, Histogram, Media, Picture, PictureKind, Table, Text, Video

if TYPE_CHECKING:
    import numpy as np

_MOST_CLASSES = 2000  # of a confusion matrix

_NO_FILE = Path()  # until it is written


class MediaLogger(ABC):
    """The methods of `RunLogger` for media.

    Each writes a file below ``media/<name>/`` and a line into ``media.jsonl``, in the background. Every
    value may be a function without arguments, which is called only when the entry is due, and every array a
    NumPy array or a tensor, also on a GPU. ``every`` says how often an entry is due: ``"10ba"`` at the steps
    that 10 divides, ``"5s"`` (or ``m``, ``h``) when so much time has passed; see `RunLogger`.

    An image is an array of shape (H, W), (H, W, 3), (1, H, W) or (3, H, W), uint8 or floats from 0 to 1 (what
    is outside is cut off), a PIL image, or the path of an image file.

    Raises:
        SightlineError: a value of another form, names or scores of another number than what they are for,
            an empty name, a negative or fractional step, a closed run.
    """

    @abstractmethod
    def _due(self, kind: str, name: str, step: int, every: str | None) -> bool: ...

    @abstractmethod
    def _submit(self, draft: Draft) -> None: ...

    def log_text(self, name: str, text: Any, step: int = 0, every: str | None = None) -> None:
        """Log a text, such as a report or a caption."""
        if self._due("text", name, step, every):
            text = str(_evaluated(text))
            self._log("text", name, step, len(text), partial(Text, text=text))

    def log_histogram(
        self, name: str, values: Any, step: int = 0, bins: int = 64, every: str | None = None
    ) -> None:
        """Log how values of any shape are distributed, such as the weights of a layer.

        The range of the finite values is cut into ``bins`` of equal width; other values are left out.
        """
        if self._due("histogram", name, step, every):
            from sightline.runs.values import snapshot

            if not 1 <= bins <= 10_000:
                raise SightlineError(f"log_histogram '{name}': bins is {bins}; give 1 to 10,000.")
            later = snapshot(f"log_histogram '{name}'", values := _evaluated(values))
            self._log(
                "histogram", name, step, _bytes(values), lambda **given: _histogram(later(), bins, **given)
            )

    def log_image(self, name: str, image: Any, step: int = 0, every: str | None = None) -> None:
        """Log one image."""
        if self._due("image", name, step, every):
            from sightline.runs import values

            later = values.image(f"log_image '{name}'", image := _evaluated(image))
            self._picture("image", name, step, _bytes(image), later)

    def log_images(
        self, name: str, images: Any, labels: Any = None, step: int = 0, every: str | None = None
    ) -> None:
        """Log several images on one sheet, each above its label; of more than 64 the first.

        ``images`` is a sequence of images, or an array whose first axis counts them.
        """
        if self._due("images", name, step, every):
            from sightline.runs import drawing, values

            where = f"log_images '{name}'"
            later = values.images(where, images := _evaluated(images))
            texts = values.names(where, _evaluated(labels), len(later))
            title = f"{name}, step {step}"
            self._picture(
                "images",
                name,
                step,
                _bytes(images),
                lambda: drawing.draw_images([one() for one in later], texts, title),
            )

    def log_boxes(
        self,
        name: str,
        image: Any,
        boxes: Any,
        labels: Any = None,
        scores: Any = None,
        step: int = 0,
        every: str | None = None,
    ) -> None:
        """Log an image with boxes drawn on it, coloured by label.

        ``boxes`` are (boxes, 4): left, top, right, bottom in pixels, as torchvision has them. ``labels`` are
        texts or numbers, ``scores`` numbers from 0 to 1.
        """
        if self._due("boxes", name, step, every):
            from sightline.runs import drawing, values

            where = f"log_boxes '{name}'"
            picture = values.image(where, image := _evaluated(image))
            corners = values.boxes(where, boxes := _evaluated(boxes))
            texts = values.names(where, _evaluated(labels), len(boxes))
            numbers = values.scores(where, _evaluated(scores), len(boxes))
            self._picture(
                "boxes",
                name,
                step,
                _bytes(image),
                lambda: drawing.draw_boxes(picture(), corners(), texts, numbers),
            )

    def log_masks(
        self,
        name: str,
        image: Any,
        masks: Any,
        class_names: Any = None,
        step: int = 0,
        every: str | None = None,
    ) -> None:
        """Log an image with masks of its size drawn on it.

        ``masks`` is a map of class numbers (H, W), where 0 is left as it is and ``class_names[i]`` is the
        name of class i, or a mask for each object (objects, H, W), inside where it is not 0, with one of
        ``class_names`` for each.
        """
        if self._due("masks", name, step, every):
            from sightline.runs import drawing, values

            where = f"log_masks '{name}'"
            picture = values.image(where, image := _evaluated(image))
            covered, objects = values.masks(where, masks := _evaluated(masks))
            class_names = _evaluated(class_names)
            count = len(class_names) if objects is None and class_names is not None else objects or 0
            texts = values.names(where, class_names, count)
            self._picture(
                "masks",
                name,
                step,
                _bytes([image, masks]),
                lambda: drawing.draw_masks(picture(), covered(), texts, where),
            )

    def log_confusion_matrix(
        self, name: str, matrix: Any, class_names: Any = None, step: int = 0, every: str | None = None
    ) -> None:
        """Log counts of shape (classes, classes): rows are the true classes, columns the predicted ones.

        Drawn as a picture; the counts are beside it, as JSON.
        """
        if self._due("confusion_matrix", name, step, every):
            from sightline.runs import values
            from sightline.runs.confusion_matrix import draw_confusion_matrix

            where = f"log_confusion_matrix '{name}'"
            counts = values.snapshot(where, _evaluated(matrix))()
            if (
                counts.ndim != 2
                or counts.shape[0] != counts.shape[1]
                or not 1 <= len(counts) <= _MOST_CLASSES
            ):
                raise SightlineError(
                    f"{where}: the matrix has shape {counts.shape}; give (classes, classes), "
                    f"at most {_MOST_CLASSES} of them."
                )
            if not (counts >= 0).all():
                raise SightlineError(f"{where}: it holds numbers below 0 or NaN; give counts.")
            texts = values.names(where, _evaluated(class_names), len(counts))
            classes = tuple(texts if texts is not None else map(str, range(len(counts))))

            def make(**given: Any) -> ConfusionMatrix:
                pixels = draw_confusion_matrix(counts, classes, name)
                return ConfusionMatrix(
                    matrix=counts, class_names=classes, pixels=pixels, data=_NO_FILE, **given
                )

            self._log("confusion_matrix", name, step, counts.nbytes, make)

    def log_video(
        self, name: str, frames: Any, fps: float = 10.0, step: int = 0, every: str | None = None
    ) -> None:
        """Log images of one size as an MP4, ``fps`` of them a second. Needs ``sightline[video]``."""
        if self._due("video", name, step, every):
            from sightline.runs import values

            where = f"log_video '{name}'"
            _check_video(where, fps)
            later = values.frames(where, frames := _evaluated(frames))
            self._log(
                "video",
                name,
                step,
                _bytes(frames),
                lambda **given: Video(frames=later(), fps=float(fps), **given),
            )

    def log_table(
        self,
        name: str,
        table: Any,
        step: int = 0,
        columns: Sequence[str] | None = None,
        every: str | None = None,
    ) -> None:
        """Log a table, kept as Parquet.

        ``table`` is a polars frame, a mapping of columns, a sequence of mappings, or a sequence of rows whose
        ``columns`` are named.
        """
        if self._due("table", name, step, every):
            from sightline.runs import values

            frame = values.table(f"log_table '{name}'", _evaluated(table), columns)
            self._log("table", name, step, frame.estimated_size(), partial(Table, frame=frame))

    def _picture(
        self, kind: PictureKind, name: str, step: int, size: int, draw: "Callable[[], np.ndarray]"
    ) -> None:
        self._log(kind, name, step, size, lambda **given: Picture(kind=kind, pixels=draw(), **given))

    def _log(self, kind: str, name: str, step: int, size: int, make: Callable[..., Media]) -> None:
        where = f"log_{kind}"
        check_name(name, where)
        step = whole_step(name, step, where)
        make = partial(make, name=name, step=step, time=time(), file=_NO_FILE)
        self._submit(Draft(kind, name, step, size, make))


def _histogram(numbers: "np.ndarray", bins: int, **given: Any) -> Histogram:
    from sightline.runs.values import histogram

    counts, edges = histogram(numbers, bins)
    return Histogram(counts=counts, edges=edges, **given)


def _evaluated(value: Any) -> Any:
    return value() if callable(value) else value


def _bytes(value: Any) -> int:
    """About what a value holds in memory."""
    if isinstance(value, (list, tuple)):
        return sum(map(_bytes, value))
    if hasattr(value, "getbands"):  # a PIL image
        return 3 * value.width * value.height
    return getattr(value, "nbytes", 0)


def _check_video(where: str, fps: float) -> None:
    if not 0 < fps <= 1000:
        raise SightlineError(f"{where}: fps is {fps}; give frames a second, above 0.")
    try:
        import av  # noqa: F401
    except ImportError:
        raise SightlineError(
            f"{where}: writing a video needs PyAV; install it with pip install 'sightline[video]'."
        ) from None
