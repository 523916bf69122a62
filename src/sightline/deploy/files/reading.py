"""Images and frames on their way to a model: read and fitted by threads, ahead of their use, in order."""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np

from sightline.data.progress import in_order
from sightline.data.remote.urls import remote_url
from sightline.data.video import Video
from sightline.deploy.files.sources import Source
from sightline.deploy.predictor import Fitted, Predictor
from sightline.deploy.raster.background import read_ahead
from sightline.errors import SightlineError

_MOST_THREADS = 8


@dataclass(frozen=True)
class Loaded:
    """An image, or a frame of a video.

    ``frame`` and ``seconds`` say which of a video; ``image`` is there where it is to be drawn on.
    """

    source: Source
    fitted: Fitted
    frame: int | None = None
    seconds: float | None = None
    image: np.ndarray | None = None


@dataclass(frozen=True)
class Ended:
    """A file is done. ``problem``: what was wrong with it; ``kept``: what was read of it counts."""

    source: Source
    problem: str | None = None
    kept: bool = True


Item = Loaded | Ended


def read_sources(predictor: Predictor, sources: Sequence[Source], *, keep_images: bool) -> Generator[Item]:
    """Everything in ``sources``, in order. A file that cannot be read ends with its problem."""

    def read(some: list[Source]) -> Iterable[Item]:
        if some[0].is_video:
            return _video(predictor, some[0], keep_images)  # which begins when its turn has come
        return [item for source in some for item in _image(predictor, source, keep_images)]

    threads = _threads(predictor.session.parallel)
    # A batch is shared by the threads. Handing over one small image at a time takes longer than reading it.
    groups = _groups(sources, max(1, predictor.batch_size // threads))
    with closing(in_order(read, groups, threads, ahead=2 * threads)) as ready:
        for items in ready:
            yield from items


def _threads(parallel: int) -> int:
    """How many threads read: the cores that a model which computes several batches at once leaves; with
    another, two overlap with it on even one core, as decoders release Python's lock."""
    cores = os.cpu_count() or 1
    return min(_MOST_THREADS, max(1, cores - parallel) if parallel > 1 else max(2, cores))


def _groups(sources: Sequence[Source], most: int) -> Iterator[list[Source]]:
    """Up to ``most`` images, or one video."""
    for is_video, alike in groupby(sources, lambda source: source.is_video):
        while group := list(islice(alike, 1 if is_video else most)):
            yield group


def _image(predictor: Predictor, source: Source, keep_image: bool) -> Iterator[Item]:
    try:
        yield _read_image(predictor, source, keep_image)
    except (SightlineError, OSError, MemoryError) as error:
        yield Ended(source, _sentence(source, error), kept=False)
    else:
        yield Ended(source)


def _read_image(predictor: Predictor, source: Source, keep_image: bool) -> Loaded:
    if url := remote_url(source.path):
        from sightline.data.remote.store import on_disk

        with on_disk(url) as path:
            pixels = predictor.read(path, source.size)
    else:
        pixels = predictor.read(source.path, source.size)
    return Loaded(source, predictor.fit(pixels, source.path), image=pixels if keep_image else None)


def _video(predictor: Predictor, source: Source, keep_images: bool) -> Iterator[Item]:
    try:
        with read_ahead(_frames(predictor, source, keep_images), 2 * predictor.batch_size) as frames:
            yield from frames
    except (SightlineError, OSError, MemoryError) as error:
        yield Ended(source, _sentence(source, error), kept=False)


def _frames(predictor: Predictor, source: Source, keep_images: bool) -> Iterator[Item]:
    """The frames that can be decoded, and in the end how many cannot."""
    video = Video(source.path)
    try:
        times = video.times()
        numbers = range(len(video)) if source.frames is None else source.frames
        bad = 0
        for number in numbers:
            try:
                image = video.frame(number)
            except SightlineError:
                bad += 1
                continue
            chosen = predictor.preprocessing.choose_bands(image, source.path)
            fitted = predictor.fit(chosen, source.path)
            yield Loaded(source, fitted, number, float(times[number]), image if keep_images else None)
        problem = None
        if bad:
            problem = f"{source.path}: {bad} of {len(numbers)} frames cannot be decoded; is the file whole?"
        elif source.frames is None and video.is_cut_short():
            problem = f"{source.path}: ends before its header says, after {len(video)} frames."
        yield Ended(source, problem)
    finally:
        video.close()


def _sentence(source: Source, error: Exception) -> str:
    if isinstance(error, SightlineError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{source.path}: does not fit into memory."
    return f"{source.path}: cannot be read ({getattr(error, 'strerror', None) or error})."
