"""8-bit weights and activations: a smaller file that CPUs with 8-bit instructions compute faster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.deploy.card import ModelCard
from sightline.deploy.export.program import first_line, without_advice
from sightline.deploy.export.writing import Write, save_onnx
from sightline.errors import SightlineError
from sightline.files import temporary_folder

_QUANTIZED = ["Conv", "Gemm", "MatMul"]  # where nearly all of the time goes; the rest stays fp32


def quantized_writer(write: Write, batches: Sequence[np.ndarray]) -> Write:
    """Writes what ``write`` would, with convolutions and matrix products of 8 bits.

    Static quantization as ONNX Runtime does it: weights by channel, the range of each activation from what
    it is for real images (Jacob et al. 2018, arXiv:1712.05877).

    Args:
        write: of an fp32 ONNX file.
        batches: real images as the graph takes them; they decide the ranges.
    """

    model: Any = None

    def write_quantized(card: ModelCard, path: Path) -> None:
        nonlocal model
        if model is None:
            model = _quantized(write, batches, card, path.parent)
        save_onnx(model, card, path)

    return write_quantized


def _quantized(write: Write, batches: Sequence[np.ndarray], card: ModelCard, parent: Path) -> Any:
    """The quantized model, an ``onnx.ModelProto``; files on the way lie in ``parent``.

    Raises:
        SightlineError: ONNX Runtime cannot quantize this model.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with temporary_folder(parent=parent, prefix=".quantizing-") as folder, without_advice():
        exact, prepared, quantized = (folder / f"{name}.onnx" for name in ("exact", "prepared", "quantized"))
        write(card, exact)
        try:
            quant_pre_process(exact, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                quantized,
                _reader(batches),
                op_types_to_quantize=_QUANTIZED,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
            )
        except OSError:
            raise
        except Exception as error:  # of whatever class
            raise SightlineError(f"the model cannot be quantized to int8 ({first_line(error)}).") from error
        return onnx.load(quantized)


def _reader(batches: Sequence[np.ndarray]) -> Any:
    """Batches in the way that ONNX Runtime asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, Any]:
            images = next(waiting, None)
            return {"images": images} if images is not None else None  # pyright: ignore[reportReturnType]

    waiting = iter(batches)
    return Reader()
