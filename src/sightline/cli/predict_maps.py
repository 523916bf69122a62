"""What a model says of rasters, as maps."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sightline.cli.bars import speed_bar
from sightline.cli.output import print_json, say
from sightline.cli.predict_inputs import raise_problems, telling_that_it_goes_on
from sightline.deploy import Predictor
from sightline.deploy.files.maps import SUFFIXES, make_map, make_maps, map_settings
from sightline.deploy.raster import Progress
from sightline.errors import SightlineError


def predict_maps(
    predictor: Predictor,
    key: str | None,
    inputs: Sequence[str],
    output: Path,
    overrides: Sequence[str],
    *,
    each: str | None,
    scores: Path | None,
    as_json: bool,
) -> None:
    """Make maps of rasters: one of all inputs together, or with ``each`` one of each in a folder.

    Raises:
        SightlineError: a raster cannot be read, or the model is for no maps.
    """
    settings = map_settings(predictor, overrides)
    suffix = "" if each is None else f".{each.lstrip('.')}"
    if each is not None and suffix not in SUFFIXES:
        raise SightlineError(f"--maps: is {', '.join(one[1:] for one in SUFFIXES)}, not '{each}'.")
    if each is not None and scores is not None:
        raise SightlineError("--scores: is for one map; leave out --maps.")
    with telling_that_it_goes_on(key), speed_bar(f"mapping on {predictor.session.device}") as update:

        def on_progress(state: Progress) -> None:
            update(state.pixels, state.total, f"{state.megapixels_per_second:,.2f} MPix/s")

        failures: list[str] = []
        if each is None:
            made = [
                make_map(
                    predictor,
                    inputs,
                    output,
                    settings,
                    scores=scores,
                    model_key=key,
                    progress=on_progress,
                )
            ]
        else:
            found = make_maps(
                predictor,
                inputs,
                output,
                suffix,
                settings,
                model_key=key,
                progress=lambda _, state: on_progress(state),
            )
            made, failures = list(found.results.values()), list(found.failures.values())
    if as_json:
        print_json([asdict(result) | {"outputs": list(map(str, result.outputs))} for result in made])
    else:
        for result in made:
            size, speed = f"{result.width:,} x {result.height:,}", result.megapixels_per_second
            say(f"{', '.join(map(str, result.outputs))}: {size} pixels, {speed:,.2f} MPix/s")
    raise_problems(failures, len(inputs))
