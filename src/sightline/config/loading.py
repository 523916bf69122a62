"""From a YAML text or file to a `Config`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from sightline.config.model import Config, remember
from sightline.config.overrides import apply_override
from sightline.config.placed_error import first_error
from sightline.config.source import Origin, Source
from sightline.config.wording import did_you_mean, shown
from sightline.config.yaml_reading import read_yaml
from sightline.errors import SightlineError

C = TypeVar("C", bound=Config)


def load(config_class: type[C], path: str | Path, overrides: Sequence[str] = ()) -> C:
    """The settings in a YAML file.

    Args:
        config_class: what the file describes.
        path: of a UTF-8 file.
        overrides: as ``trainer.max_duration=3ep``, applied in order; the value is YAML. Items of lists go by
            index (from 0), and below a component ``init_args.`` may be left out: ``optimizer.lr=1e-3``.

    Raises:
        SightlineError: the file cannot be read, is not YAML, or does not describe a ``config_class``. The
            sentence begins with the place, ``spec.yaml:12`` or ``override 'optimizer.lr=abc'``.
    """
    return load_text(config_class, read_text(Path(path)), overrides, name=str(path))


def load_text(
    config_class: type[C], text: str, overrides: Sequence[str] = (), *, name: str = "specification"
) -> C:
    """The settings in a YAML text, which messages call ``name``. Otherwise as `load`."""
    source = Source(name)
    values = read_yaml(text, source)
    if values is None:
        keys = ", ".join(config_class.model_fields)
        raise SightlineError(f"{name}: is empty; it takes the keys {keys}.")
    if not isinstance(values, dict):
        raise SightlineError(f"{name}: must be 'key: value' lines at the top, found {shown(values)}.")
    for override in overrides:
        apply_override(config_class, values, override, source)
    try:
        config = config_class.model_validate(values)
    except ValidationError as error:
        raise first_error(error, config_class, values).error(Origin(source)) from None
    remember(config, values, Origin(source))
    return config


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        SightlineError: it is not there, cannot be read, or is not UTF-8 (with the line).
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        near = did_you_mean(path.name, (p.name for p in folder.iterdir())) if folder.is_dir() else ""
        raise SightlineError(f"{path}: there is no such file{near or '; check the path.'}") from None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SightlineError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8.") from None
