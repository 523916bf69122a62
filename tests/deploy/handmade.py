"""Small ONNX files with cards, made without PyTorch, whose answers can be worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sightline.data.box_selection import BoxSelection
from sightline.data.preprocessing import Preprocessing
from sightline.deploy.card import CARD_KEY, ModelCard, ModelInput

CELL = 8
_TYPES = {"uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16, "float32": TensorProto.FLOAT}


def card(task: Any, classes: list[str], **values: Any) -> ModelCard:
    """A card with the normalisation left out: scores are of the pixels themselves."""
    preprocessing = {"scale": 255, "mean": [0.0] * 3, "std": [1.0] * 3} | values.pop("preprocessing", {})
    bands = len(preprocessing.get("bands", [1, 2, 3]))
    for key in ("mean", "std"):
        preprocessing[key] = preprocessing[key][:1] * bands
    return ModelCard(
        name=values.pop("name", "handmade"),
        task=task,
        classes=classes,
        preprocessing=Preprocessing(**preprocessing),
        input=ModelInput(**values.pop("input", {})),
        selection=BoxSelection(score_threshold=0.5) if task == "detection" else None,
        **values,
    )


def classifier(path: Path, **values: Any) -> ModelCard:
    """The brightest of three bands: softmax of ten times their means."""
    made = card("classification", ["red", "green", "blue"], **values)
    nodes = [
        _node("Cast", ["images"], "floats", to=TensorProto.FLOAT),
        _node("GlobalAveragePool", ["floats"], "means"),
        _node("Flatten", ["means"], "flat"),
        _node("Mul", ["flat", "factor"], "logits"),
        _node("Softmax", ["logits"], "scores", axis=1),
    ]
    factor = numpy_helper.from_array(np.array(10 / 255, dtype=np.float32), "factor")
    return _write(path, made, nodes, [factor], {"scores": ["batch", 3]})


def segmenter(path: Path, **values: Any) -> ModelCard:
    """Of each pixel the brightest of three bands."""
    made = card("segmentation", ["red", "green", "blue"], **values)
    nodes = [
        _node("Cast", ["images"], "floats", to=TensorProto.FLOAT),
        _node("Mul", ["floats", "factor"], "logits"),
        _node("Softmax", ["logits"], "scores", axis=1),
    ]
    factor = numpy_helper.from_array(np.array(10 / 255, dtype=np.float32), "factor")
    return _write(path, made, nodes, [factor], {"scores": ["batch", 3, "height", "width"]})


def detector(path: Path, size: tuple[int, int] = (48, 64), **values: Any) -> ModelCard:
    """A box for each cell of 8 x 8 pixels, its score the cell's mean over all bands."""
    height, width = size
    made = card("detection", ["bright"], input={"size": size}, **values)
    rows, columns = height // CELL, width // CELL
    corners = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2) * CELL
    boxes = np.concatenate([corners, corners + CELL], axis=1).astype(np.float32)[None]
    nodes = [
        _node("Cast", ["images"], "floats", to=TensorProto.FLOAT),
        _node("AveragePool", ["floats"], "pooled", kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        _node("ReduceMean", ["pooled", "bands"], "cells", keepdims=1),
        _node("Reshape", ["cells", "shape"], "flat"),
        _node("Mul", ["flat", "factor"], "scores"),
        _node("Shape", ["images"], "batch", start=0, end=1),
        _node("Concat", ["batch", "rest"], "whole", axis=0),
        _node("Expand", ["grid", "whole"], "boxes"),
    ]
    constants = [
        numpy_helper.from_array(np.array([1]), "bands"),
        numpy_helper.from_array(np.array([0, rows * columns, 1]), "shape"),
        numpy_helper.from_array(np.array(1 / 255, dtype=np.float32), "factor"),
        numpy_helper.from_array(np.array(boxes.shape[1:]), "rest"),
        numpy_helper.from_array(boxes, "grid"),
    ]
    outputs = {"scores": ["batch", rows * columns, 1], "boxes": ["batch", rows * columns, 4]}
    return _write(path, made, nodes, constants, outputs)


def without_card(path: Path) -> Path:
    """The classifier as another program would have made it."""
    classifier(path)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    return path


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **attributes)


def _write(
    path: Path,
    made: ModelCard,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    outputs: dict[str, list[Any]],
) -> ModelCard:
    height, width = made.input.size or ("height", "width")
    shape = [made.input.batch or "batch", made.channels, height, width]
    graph = helper.make_graph(
        nodes,
        "handmade",
        [helper.make_tensor_value_info("images", _TYPES[made.input.type], shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name, sides in outputs.items()],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {CARD_KEY: made.to_text()})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return made
