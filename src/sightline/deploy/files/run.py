"""`predict_files`: what a model says of images, folders, a dataset or videos, as a file or a dataset."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sightline.deploy.card import ModelCard
from sightline.deploy.files.finishing import Finisher
from sightline.deploy.files.journal import Journal
from sightline.deploy.files.predicting import Judged, predicted
from sightline.deploy.files.reading import Loaded, read_sources
from sightline.deploy.files.results import (
    LINES,
    TABLES,
    refuse_target,
    write_dataset,
    write_lines,
    write_table,
)
from sightline.deploy.files.settings import FileSettings
from sightline.deploy.files.sources import Source, Sources, find_sources
from sightline.deploy.predictor import Predictor
from sightline.deploy.raster.background import WriteBehind
from sightline.errors import SightlineError

_BEHIND = 4  # batches that wait to be written


@dataclass
class Summary:
    """What came of it.

    ``done`` of the ``files``, ``resumed`` of these before. ``images`` counts frames too, of which
    there are ``frames``; ``pixels`` are theirs. ``problems`` are sentences, one for each file that was not
    read, or not whole.
    """

    files: int = 0
    done: int = 0
    images: int = 0
    frames: int = 0
    pixels: int = 0
    resumed: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


OnProgress = Callable[[Summary], None]
"""Told what is done so far."""


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    target: str | Path,
    *,
    settings: FileSettings | None = None,
    split: str | None = None,
    model_key: str | None = None,
    overwrite: bool = False,
    link: bool = False,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Predict with everything in ``inputs`` and write ``target``, whole or not at all.

    A file that cannot be read stops no other: it is among the `Summary.problems`. Work that is cut off is
    gone on with by the next call for the same target, model and settings.

    Args:
        predictor: see `sightline.deploy.open_model`.
        inputs: images, videos, folders of them, or one dataset's folder or URL.
        target: a ``.jsonl``, ``.csv`` or ``.parquet`` file, or a folder that becomes a dataset with the
            predictions as a task called ``predictions``.
        settings: how it is done.
        split: of a dataset, only these samples.
        model_key: the name of the model, such as its hash, by which it is gone on with; None: begun anew.
        overwrite: whether a dataset that is there is replaced; a file always is.
        link: whether a dataset links to the images rather than holds copies.
        on_progress: called after each batch.

    Raises:
        SightlineError: an input is not there, there is a dataset at ``target`` already, or it cannot be
            written.
    """
    settings, target, began = settings or FileSettings(), Path(target), time.perf_counter()
    refuse_target(target, overwrite=overwrite)
    sources = find_sources(inputs, split)
    _refuse_useless(predictor.card, settings, sources)
    key = {"model": model_key or time.time_ns(), "settings": settings.model_dump(mode="json")}
    with Journal(target, key) as journal:
        summary = Summary(files=len(sources))
        remaining = [source for source in sources.files if source.path not in journal.done]
        wanted = {source.path for source in sources.files}
        summary.done = summary.resumed = len(sources) - len(remaining)
        summary.problems += [text for path, text in journal.done.items() if text and path in wanted]
        with closing(_work(predictor, remaining, settings, journal)) as work:
            for judged in work:
                _count(summary, judged)
                summary.seconds = time.perf_counter() - began
                if on_progress is not None:
                    on_progress(summary)
        if not summary.images and not summary.resumed:
            journal.remove()
            raise SightlineError(f"nothing could be read; the first of {len(sources)}: {summary.problems[0]}")
        records = (record for record in journal.records() if record["file"] in wanted)
        if target.suffix == LINES:
            write_lines(records, target)
        elif target.suffix in TABLES:
            write_table(records, target, predictor.card, settings.threshold)
        else:
            write_dataset(
                records, target, predictor.card, known=sources.dataset, threshold=settings.threshold,
                overwrite=overwrite, link=link,
            )  # fmt: skip
        journal.remove()
    summary.seconds = time.perf_counter() - began
    return summary


def _work(
    predictor: Predictor, sources: Sequence[Source], settings: FileSettings, journal: Journal
) -> Generator[list[Judged]]:
    """Read, predict and finish, all at once; gives what was predicted, some at a time."""
    items = read_sources(predictor, sources, keep_images=settings.draw is not None)
    with (
        closing(items),
        Finisher(predictor.classes, settings, journal) as finisher,
        WriteBehind(finisher.take, _BEHIND) as behind,
    ):
        for judged in predicted(predictor, items):
            behind.put(judged)
            yield judged


def _count(summary: Summary, judged: list[Judged]) -> None:
    for item, _ in judged:
        if isinstance(item, Loaded):
            summary.images += 1
            summary.frames += item.frame is not None
            summary.pixels += item.fitted.place.height * item.fitted.place.width
        else:
            summary.done += 1
            if item.problem is not None:
                summary.problems.append(item.problem)


def _refuse_useless(card: ModelCard, settings: FileSettings, sources: Sources) -> None:
    """Refuse to follow what cannot be followed."""
    if settings.tracker is None:
        return
    if card.task != "detection":
        raise SightlineError(f"objects are followed by their boxes, and this model does {card.task}.")
    if not any(source.is_video for source in sources.files):
        raise SightlineError("objects are followed through videos, and there is none; leave that out.")
