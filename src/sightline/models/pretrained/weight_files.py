"""Files of weights: safetensors, and what ``torch.save`` wrote, read without running code from it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sightline.errors import SightlineError

WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_INSIDE = ("state_dict", "model_state_dict", "model", "weights", "module")
"""Where training scripts put the weights in a file that holds more than those."""


def read_weights_file(path: Path) -> dict[str, Tensor]:
    """The weights in a file by name, on the CPU.

    A file of torch's is read with ``weights_only=True``, which refuses anything but tensors and plain values;
    where it holds more than weights, they are looked for under the names that training scripts use.

    Raises:
        SightlineError: it is missing, of no known kind, damaged, or has no weights.
    """
    if not path.is_file():
        raise SightlineError(f"{path}: there is no such file.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise SightlineError(f"{path}: is not a safetensors file that can be read ({error}).") from error
    if path.suffix not in WEIGHT_SUFFIXES:
        kinds = ", ".join(WEIGHT_SUFFIXES)
        raise SightlineError(f"{path}: weights are read from files that end in {kinds}.")
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd files, which then load or do not
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, by what is damaged
        reason = " ".join(str(error).split())[:200]
        raise SightlineError(
            f"{path}: cannot be read as plain weights ({reason}); save the model's state_dict(),"
            " best as a .safetensors file."
        ) from error
    weights = _weights_in(stored)
    if not weights:
        raise SightlineError(f"{path}: has no weights; save the model's state_dict().")
    return weights


def _weights_in(stored: Any) -> dict[str, Tensor]:
    if not isinstance(stored, Mapping):
        return {}
    for name in _INSIDE:
        if isinstance(stored.get(name), Mapping) and (found := _weights_in(stored[name])):
            return found
    return {str(name): value for name, value in stored.items() if isinstance(value, Tensor)}
