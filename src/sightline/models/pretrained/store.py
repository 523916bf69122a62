"""Weights that were fetched ahead: a folder of safetensors files, which jobs without a network read.

A file is called after its model: ``timm/resnet18.a1_in1k.safetensors``.
"""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sightline.errors import SightlineError
from sightline.models.names import ModelName
from sightline.models.pretrained.sources import Source, source_of
from sightline.models.pretrained.weight_files import read_weights_file

FOLDER_VARIABLE = "SIGHTLINE_WEIGHTS"
_SUFFIX = ".safetensors"


class StoredWeights(NamedTuple):
    """A file of the folder: the model's ``name``, the ``path``, and what is known of the weights."""

    name: str
    path: Path
    size_bytes: int
    licence: str
    address: str


def weights_folder() -> Path:
    """Where fetched weights are kept: ``$SIGHTLINE_WEIGHTS``, or a folder of the user's cache."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sightline" / "weights"


def pull(model: ModelName, *, output: Path | None = None) -> StoredWeights:
    """Fetch the weights of a model, unless they are there, as a safetensors file.

    Args:
        model: a model of a library.
        output: the file to write, by default one in the folder, where ``pretrained: true`` finds it.

    Raises:
        SightlineError: there are none, they cannot be fetched, or the file cannot be written.
    """
    source = source_of(model)
    path = output or _path(source)
    if path.suffix != _SUFFIX:
        raise SightlineError(f"{path}: weights are written to a {_SUFFIX} file; choose such a name.")
    if output is not None or not path.is_file():
        _write(path, _fetched(source), source)
    return _described(path, str(source.name))


def pulled() -> list[StoredWeights]:
    """What the folder has, by name.

    Raises:
        SightlineError: a file is damaged.
    """
    folder = weights_folder()
    return [
        _described(path, path.relative_to(folder).as_posix().removesuffix(_SUFFIX))
        for path in sorted(folder.rglob(f"*{_SUFFIX}"))
    ]


def weights_of(model: ModelName) -> dict[str, Tensor]:
    """The weights of a library's model: out of the folder, the library's own cache, or the network.

    Raises:
        SightlineError: there are none, or they cannot be fetched.
    """
    source = source_of(model)
    try:
        return _fetched(source)
    except SightlineError as error:
        raise SightlineError(
            f"{error} Run `sightline weights pull {source.name}` where there is a network and copy the file,"
            " or give `pretrained` a file."
        ) from error


def _fetched(source: Source) -> dict[str, Tensor]:
    path = _path(source)
    if path.is_file():
        return read_weights_file(path)
    try:
        with torch.random.fork_rng(devices=()):  # libraries build a model to load into
            return source.fetch()
    except Exception as error:  # each library, and each of its HTTP clients, has its own
        reason = " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
        raise SightlineError(
            f"{source.name}: its pretrained weights are not on this machine and cannot be fetched ({reason})."
        ) from error


def _path(source: Source) -> Path:
    return weights_folder() / f"{source.name}{_SUFFIX}"


def _write(path: Path, weights: dict[str, Tensor], source: Source) -> None:
    facts = {"name": str(source.name), "licence": source.licence, "address": source.address}
    whole = {name: tensor.detach().contiguous().clone() for name, tensor in weights.items()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(whole, part, metadata=facts)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SightlineError(f"{path}: the weights cannot be written ({reason}).") from error
    finally:
        part.unlink(missing_ok=True)


def _described(path: Path, name: str) -> StoredWeights:
    try:
        with safe_open(path, framework="pt") as stored:
            facts = stored.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise SightlineError(
            f"{path}: is not a safetensors file that can be read ({error}); remove it and pull it again."
        ) from error
    licence, address = facts.get("licence", ""), facts.get("address", "")
    return StoredWeights(name, path, path.stat().st_size, licence, address)
