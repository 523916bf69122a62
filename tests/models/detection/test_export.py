"""`light` as ONNX: other batches and sizes than it was exported with, the same numbers."""

from pathlib import Path

import numpy as np
import torch

from sightline.models.detection import detector
from tests.needs import needs

Dim = torch.export.Dim


def test_onnx_says_the_same_for_any_batch_and_size(tmp_path: Path) -> None:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        needs("onnxruntime and onnxscript", available=False)
        return
    torch.manual_seed(0)
    options = {"widths": [4, 4, 8, 8, 8]}
    model = detector("light", classes=3, channels=2, width=8, depth=1, backbone_options=options).eval()
    torch.onnx.export(
        model,
        (torch.randn(2, 2, 64, 64),),
        tmp_path / "light.onnx",
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: Dim("batch"), 2: Dim("height"), 3: Dim("width")},),
        input_names=["images"],
        output_names=["scores", "boxes"],
    )
    session = onnxruntime.InferenceSession(tmp_path / "light.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 2, 64, 96), (3, 2, 48, 40), (2, 2, 61, 83)):
        images = torch.randn(shape)
        with torch.no_grad():
            raw = model(images)
        found = session.run(["scores", "boxes"], {"images": images.numpy()})
        for ours, theirs in zip(raw, found, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-4)
        expected = model.detections(raw)[0]
        selected = model.selection.select(found[0][0], found[1][0])
        assert selected.labels.tolist() == expected["labels"].tolist()
