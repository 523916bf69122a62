"""Models at work in PyTorch: exported programs, TorchScript, and modules."""

import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from sightline.archives import DAMAGE
from sightline.deploy.building import built
from sightline.deploy.card import ModelCard
from sightline.deploy.card_files import Format
from sightline.deploy.graph import Graph
from sightline.errors import SightlineError

_DAMAGED = "cannot be read; is the file whole?"


class TorchSession:
    """Anything that PyTorch computes, as a `sightline.deploy.session.Session`.

    Args:
        module: images (batch, bands, height, width) to a tensor or several, on ``device``.
        device: where it is.
    """

    parallel = 1

    def __init__(self, module: Callable[[torch.Tensor], Any], device: torch.device) -> None:
        self._module = module
        self._device = device
        self.device = str(device)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """See `Session`."""
        with torch.inference_mode():
            outputs = self._module(torch.from_numpy(images).to(self._device))
        outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return [one.cpu().numpy() for one in outputs]


def torch_device(name: str) -> torch.device:
    """The device that ``name`` (auto, cpu, cuda, cuda:1) stands for.

    Raises:
        SightlineError: PyTorch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SightlineError(f"device '{name}': PyTorch cannot use it ({reason}); try 'cpu'.") from error
    return device


def open_session(
    path: Path, kind: Format, card: ModelCard, device: str, model: nn.Module | None = None
) -> TorchSession:
    """A file of any format but ONNX.

    ``model`` is what weights are filled into, by default the model that the card names.

    Raises:
        SightlineError: it cannot be read, or the device is not there.
    """
    place = torch_device(device)
    if kind == "safetensors":
        return _open_safetensors(path, card, place, model or built(card, path))
    return (open_pt2 if kind == "pt2" else open_torchscript)(path, place)


def open_pt2(path: Path, device: torch.device) -> TorchSession:
    """A file of ``torch.export.save``.

    Raises:
        SightlineError: it cannot be read.
    """
    _refuse_damaged(path)
    try:
        # A stream, as of files it takes those alone whose names end in .pt2.
        with _quietly(), path.open("rb") as stream:
            program = torch.export.load(stream)
            if device.type != "cpu":
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, device)
            module = program.module()
    except Exception as error:  # of many kinds, by what is damaged
        raise SightlineError(f"{path}: {_DAMAGED} ({_first_line(error)})") from error
    return TorchSession(module, device)


def open_torchscript(path: Path, device: torch.device) -> TorchSession:
    """A file of ``torch.jit.save``.

    Raises:
        SightlineError: it cannot be read.
    """
    _refuse_damaged(path)
    try:
        with _quietly():
            module = torch.jit.load(path, map_location=device)
    except (RuntimeError, ValueError) as error:
        raise SightlineError(f"{path}: {_DAMAGED} ({_first_line(error)})") from error
    return TorchSession(module, device)


def _open_safetensors(path: Path, card: ModelCard, device: torch.device, model: nn.Module) -> TorchSession:
    try:
        model.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise SightlineError(f"{path}: {_DAMAGED} ({_first_line(error)})") from error
    return TorchSession(Graph(model, card).eval().to(device), device)


def _refuse_damaged(path: Path) -> None:
    """Both kinds of file are zip files, and torch has many ways to say that one is damaged."""
    if not path.is_file():
        raise SightlineError(f"{path}: there is no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (*DAMAGE, OSError) as error:
        raise SightlineError(f"{path}: {_DAMAGED} ({_first_line(error)})") from error
    if bad is not None:
        raise SightlineError(f"{path}: {_DAMAGED} ({bad} in it is damaged)")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without PyTorch's advice to its own callers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
