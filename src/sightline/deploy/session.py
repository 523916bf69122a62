"""A model file at work: pixels in, arrays out."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from sightline.errors import SightlineError

DEVICES = ("auto", "cpu", "cuda", "tensorrt", "coreml")
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_QUIET = 4  # what ends the process; all else is raised, or of no use to anybody


class Session(Protocol):
    """What computes a graph."""

    device: str
    """Where it does, such as ``cpu``."""
    parallel: int
    """How many runs at once, by as many threads, it is made for."""

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs for images (batch, bands, height, width) of the type that its card says."""
        ...


class OnnxSession:
    """An ONNX file in ONNX Runtime; several threads may run it at once.

    Args:
        path: the file.
        device: one of `DEVICES`; ``cuda:1`` for another GPU than the first. ``auto`` is a GPU where ONNX
            Runtime has one, else the CPU. TensorRT builds its engine at the first batch of each size, which
            takes minutes.
        parallel: runs at once that the cores of the CPU are shared by. Two images in two runs take less
            time than one after the other, as the threads of a run wait for one another at each layer, and
            twice the memory.

    Raises:
        SightlineError: ONNX Runtime or the device is not there, or the file cannot be read.
    """

    def __init__(self, path: Path, device: str = "auto", parallel: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise SightlineError(
                f"{path}: needs ONNX Runtime; install it with pip install onnxruntime (or onnxruntime-gpu)."
            ) from None
        if not path.is_file():
            raise SightlineError(f"{path}: there is no such file.")
        self._path = path
        self.parallel = parallel
        self.device, providers = _providers(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _QUIET
        if parallel > 1:
            options.intra_op_num_threads = max(1, (os.cpu_count() or 1) // parallel)
            options.enable_mem_pattern = False  # a block for all activations of a run takes a quarter more
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        except Exception as error:  # onnxruntime has a class of its own for each kind, without a common one
            raise SightlineError(f"{path}: cannot be read as an ONNX model ({_reason(error)}).") from error
        used = self._session.get_providers()
        if self.device != "cpu" and _PROVIDERS[self.device.partition(":")[0]] not in used:
            raise SightlineError(
                f"{path}: ONNX Runtime could not start on {self.device} (are its libraries there?); use "
                "another device."
            )
        self._input = self._session.get_inputs()[0].name

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """See `Session`.

        Raises:
            SightlineError: ONNX Runtime cannot compute it, such as for want of memory.
        """
        try:
            outputs = self._session.run(None, {self._input: images})
        except Exception as error:
            shape = " x ".join(map(str, images.shape))
            raise SightlineError(
                f"{self._path}: cannot be computed for images of {shape} ({_reason(error)})."
            ) from error
        return [np.asarray(output) for output in outputs]


def _providers(device: str, available: list[str]) -> tuple[str, list[tuple[str, dict[str, str]]]]:
    """The device's name, and what ONNX Runtime is to try, first to last."""
    name, _, number = device.partition(":")
    if name == "auto":
        name = "cuda" if _PROVIDERS["cuda"] in available else "cpu"
        device = name
    if name not in _PROVIDERS or (number and not number.isdecimal()):
        raise SightlineError(f"device '{device}': is none of {', '.join(DEVICES)}; choose one.")
    if _PROVIDERS[name] not in available:
        there = [known for known, provider in _PROVIDERS.items() if provider in available]
        raise SightlineError(
            f"device '{device}': this ONNX Runtime has {', '.join(there)} only; choose one of these, or "
            "install another (onnxruntime-gpu)."
        )
    options = {"device_id": number or "0"} if name in ("cuda", "tensorrt") else {}
    chosen = [(_PROVIDERS[name], options)]
    if name == "tensorrt" and _PROVIDERS["cuda"] in available:  # for what TensorRT cannot do
        chosen.append((_PROVIDERS["cuda"], options))
    if name != "cpu":
        chosen.append((_PROVIDERS["cpu"], {}))
    return device, chosen


def _reason(error: Exception) -> str:
    """ONNX Runtime's own words without its codes: ``[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : ...``."""
    text = " ".join(str(error).split())
    return text.rpartition(" : ")[2][:200].rstrip(".")
