"""Apply a model to many rasters: one that fails is told in the end, and stops no other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.deploy.raster.outputs import POLYGON_SUFFIXES, RASTER_SUFFIXES
from sightline.deploy.raster.predict import Destination, Progress, RasterResult, predict_raster
from sightline.deploy.raster.settings import RasterSettings
from sightline.deploy.raster.symmetry import Model
from sightline.errors import SightlineError

logger = logging.getLogger("sightline.deploy")


@dataclass(frozen=True)
class RasterResults:
    """Results and failures of many rasters, by source; ``skipped`` had a result already."""

    results: dict[str, RasterResult]
    failures: dict[str, str]
    skipped: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise what failed.

        Raises:
            SightlineError: at least one raster failed; one sentence with the first of them.
        """
        if self.failures:
            count = len(self.results) + len(self.failures) + len(self.skipped)
            first = next(iter(self.failures.values()))
            raise SightlineError(f"{len(self.failures)} of {count} rasters failed; the first: {first}")


def predict_rasters(
    sources: Sequence[str | Path],
    folder: Path | str,
    model: Model,
    *,
    classes: Sequence[str],
    settings: RasterSettings | None = None,
    suffix: str = ".tif",
    output: Callable[[Path], Destination] = Path,
    channels: int | None = None,
    resume_key: str | None = None,
    parallel: int = 1,
    skip_existing: bool = False,
    progress: Callable[[str, Progress], None] | None = None,
) -> RasterResults:
    """Apply a model to each of ``sources``, and write ``folder/<name of the source><suffix>``.

    Args:
        sources: as for `predict_raster`, each on its own; nothing passes from one to the next.
        folder: of the results; made if need be.
        model: see `predict_raster`, as for ``classes``, ``settings``, ``channels``, ``resume_key`` and
            ``parallel``.
        classes: names of the classes.
        settings: how it is applied.
        suffix: ``.tif`` for class maps, ``.geojson`` or ``.gpkg`` for polygons.
        output: from the path of a result to the output with its settings.
        channels: how many bands the model takes.
        resume_key: the name of the model, which lets interrupted work go on.
        skip_existing: leave out sources whose result is there.
        progress: called with the source as well.

    Raises:
        SightlineError: two sources would have the same result file. What is wrong with a raster is logged,
            and is raised by `RasterResults.check` once all others are done.
    """
    targets = _targets(sources, Path(folder), suffix)
    results: dict[str, RasterResult] = {}
    failures: dict[str, str] = {}
    skipped = []
    for source, target in targets.items():
        if skip_existing and target.exists():
            skipped.append(source)
            continue

        def report(state: Progress, source: str = source) -> None:
            if progress is not None:
                progress(source, state)

        try:
            results[source] = predict_raster(
                source, output(target), model, classes=classes, settings=settings, channels=channels,
                resume_key=resume_key, parallel=parallel, progress=report,
            )  # fmt: skip
        except SightlineError as error:
            failures[source] = str(error)
        except Exception as error:  # whatever a model raises at one raster, the others are not at fault
            failures[source] = f"{source}: {type(error).__name__}: {error}"
            logger.debug("%s", source, exc_info=True)
        if source in failures:
            logger.warning("%s", failures[source])
    return RasterResults(results, failures, tuple(skipped))


def _targets(sources: Sequence[str | Path], folder: Path, suffix: str) -> dict[str, Path]:
    """Where the result of each source goes."""
    known = (*RASTER_SUFFIXES, *POLYGON_SUFFIXES)
    if suffix not in known:
        raise SightlineError(f"suffix: must be one of {', '.join(known)}, not '{suffix}'.")
    targets: dict[str, Path] = {}
    takers: dict[Path, str] = {}
    for source in map(str, sources):
        name = Path(source.rstrip("/")).name
        target = folder / (name.removesuffix(Path(name).suffix) + suffix)
        if target in takers and takers[target] != source:
            raise SightlineError(
                f"{source}: has the same name as {takers[target]}, so one result would replace the other; "
                "give each its own folder."
            )
        takers[target] = source
        targets[source] = target
    return targets
