"""What is in a safetensors file, by its header alone."""

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from sightline.errors import SightlineError


class StoredTensor(NamedTuple):
    """A tensor of a file: ``dtype`` as safetensors calls it, such as ``F32``."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def tensors_in(path: Path) -> list[StoredTensor]:
    """The tensors of a safetensors file, in its order.

    Raises:
        SightlineError: it is missing, or no such file.
    """
    try:
        with safe_open(path, framework="numpy") as stored:
            return [_described(name, stored.get_slice(name)) for name in stored.keys()]  # noqa: SIM118
    except FileNotFoundError as error:
        raise SightlineError(f"{path}: there is no such file.") from error
    except (OSError, SafetensorError) as error:
        raise SightlineError(f"{path}: is not a safetensors file that can be read ({error}).") from error


def _described(name: str, tensor: Any) -> StoredTensor:
    shape, dtype = tuple(tensor.get_shape()), tensor.get_dtype()
    digits = re.search(r"\d+", dtype)  # F32, BF16, F8_E4M3; only BOOL has none
    bits = int(digits[0]) if digits else 8
    return StoredTensor(name, shape, dtype, math.prod(shape) * bits // 8)
