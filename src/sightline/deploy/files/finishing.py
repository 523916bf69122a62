"""What becomes of a prediction: it is followed, written down, and drawn."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from sightline.data.predictions import Detections, Prediction
from sightline.data.video import Video
from sightline.deploy.files.drawing import SHOWN, Film, drawn, write_picture
from sightline.deploy.files.journal import Journal
from sightline.deploy.files.predicting import Judged
from sightline.deploy.files.reading import Ended, Item, Loaded
from sightline.deploy.files.records import above, result_of
from sightline.deploy.files.settings import FileSettings
from sightline.deploy.files.sources import Source
from sightline.deploy.files.tracking import Tracker
from sightline.deploy.raster.partial import disk_errors
from sightline.errors import SightlineError

_RATE = 25.0  # frames a second of a video that does not say


class Finisher:
    """Takes items with their predictions in order, of one file after the other.

    Args:
        classes: names of the classes.
        settings: how files are predicted with.
        journal: where records go.
    """

    def __init__(self, classes: Sequence[str], settings: FileSettings, journal: Journal) -> None:
        self._classes, self._settings, self._journal = classes, settings, journal
        self._tracker: Tracker | None = None
        self._film: Film | None = None

    def take(self, judged: Sequence[Judged]) -> None:
        """Deal with some items.

        Raises:
            SightlineError: something cannot be written.
        """
        for item, prediction in judged:
            self._take(item, prediction)
        self._journal.flush()

    def _take(self, item: Item, prediction: Prediction | None) -> None:
        if isinstance(item, Ended):
            self._end(item)
            return
        assert prediction is not None
        prediction = self._followed(item, prediction)
        settings = self._settings
        if settings.draw is not None:
            self._draw(settings.draw, item, prediction)
        if settings.threshold is not None:
            prediction = above(prediction, settings.threshold)
        place = item.fitted.place
        where = {"file": item.source.path}
        if item.frame is not None:
            where |= {"frame": item.frame, "seconds": item.seconds}
        size = {"height": place.height, "width": place.width}
        self._journal.write({**where, **size, **result_of(prediction, self._classes)})

    def _followed(self, item: Loaded, prediction: Prediction) -> Prediction:
        config = self._settings.tracker
        if config is None or item.frame is None or not isinstance(prediction, Detections):
            return prediction
        if self._tracker is None:
            self._tracker = Tracker(config)
        return self._tracker.follow(prediction)

    def _draw(self, folder: Path, item: Loaded, prediction: Prediction) -> None:
        assert item.image is not None
        threshold = SHOWN if self._settings.threshold is None else self._settings.threshold
        picture = drawn(item.image, prediction, self._classes, threshold)
        with disk_errors(folder / item.source.name):
            if item.seconds is None:
                write_picture(folder, item.source.name, picture)
                return
            if self._film is None:
                self._film = Film(folder / f"{item.source.name}.mp4", _rate_of(item.source))
            self._film.add(picture, item.seconds)

    def _end(self, item: Ended) -> None:
        self._tracker = None
        film, self._film = self._film, None
        if not item.kept:
            if film is not None:
                film.give_up()
            self._journal.abandon()
            return
        if film is not None:
            with disk_errors(film.path):
                film.finish()
        self._journal.finish(item.source.path, item.problem)

    def __enter__(self) -> "Finisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A video that is not done is given up."""
        if self._film is not None:
            self._film.give_up()


def _rate_of(source: Source) -> float:
    try:
        video = Video(source.path)
        try:
            return video.info().frame_rate or _RATE
        finally:
            video.close()
    except SightlineError:
        return _RATE
