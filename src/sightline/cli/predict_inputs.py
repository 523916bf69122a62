"""What a model says of images, videos and datasets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sightline.cli.bars import speed_bar
from sightline.cli.output import note, print_json, say
from sightline.config import load_text, to_yaml
from sightline.deploy import Predictor, open_model
from sightline.deploy.card_files import format_of
from sightline.deploy.files.run import Summary, predict_files
from sightline.deploy.files.settings import FileSettings
from sightline.deploy.predictor import BATCH, PARALLEL
from sightline.errors import SightlineError
from sightline.files import sha256_file

_PROBLEMS_TOLD = 20


def opened_model(
    name: str, device: str, batch_size: int | None, *, last: bool = False
) -> tuple[Predictor, str | None]:
    """The predictor, and the name by which work with it is gone on with."""
    path = Path(name)
    predictor = open_model(
        path, device=device, batch_size=batch_size or BATCH, parallel=PARALLEL, best=not last
    )
    if format_of(path) is not None:
        return predictor, sha256_file(path)
    training = predictor.card.training
    return predictor, training.weights_sha256 if training else None


@contextmanager
def telling_that_it_goes_on(key: str | None) -> Iterator[None]:
    """Ctrl-C inside is told what becomes of the work, which has that key or none."""
    try:
        yield
    except KeyboardInterrupt:
        if key is not None:
            note("\nstopped; the same command goes on from here.")
        raise


def predict_inputs(
    predictor: Predictor,
    key: str | None,
    inputs: Sequence[str],
    output: Path,
    overrides: Sequence[str],
    *,
    settings: FileSettings,
    split: str | None,
    overwrite: bool,
    link: bool,
    as_json: bool,
) -> None:
    """Predict with images, videos and datasets.

    Raises:
        SightlineError: see `predict_files`; or, once all others are done, a file could not be read.
    """
    chosen = load_text(FileSettings, to_yaml(settings), overrides, name="the settings")
    with telling_that_it_goes_on(key), speed_bar(f"predicting on {predictor.session.device}") as update:

        def on_progress(summary: Summary) -> None:
            files = summary.files if summary.files > 1 else None
            update(summary.done, files, _speed(summary))

        summary = predict_files(
            predictor,
            inputs,
            output,
            settings=chosen,
            split=split,
            model_key=key,
            overwrite=overwrite,
            link=link,
            on_progress=on_progress,
        )
    if as_json:
        print_json(asdict(summary) | {"output": str(output)})
    else:
        before = f" ({summary.resumed:,} were done before)" if summary.resumed else ""
        say(f"{output}: {summary.files:,} files{before}, {_speed(summary)}")
    raise_problems(summary.problems, summary.files)


def _speed(summary: Summary) -> str:
    unit = "frames" if summary.frames else "images"
    return f"{summary.images:,} {unit}, {summary.images / max(summary.seconds, 1e-9):,.1f} {unit}/s"


def raise_problems(problems: Sequence[str], count: int) -> None:
    """Tell what went wrong, after everything else is done.

    Raises:
        SightlineError: something did.
    """
    if not problems:
        return
    for problem in problems[:_PROBLEMS_TOLD]:
        note(f"warning: {problem}")
    if len(problems) > _PROBLEMS_TOLD:
        note(f"warning: ... and {len(problems) - _PROBLEMS_TOLD} more")
    raise SightlineError(
        f"{len(problems)} of {count} files could not be read, or not whole; all others are done."
    )
