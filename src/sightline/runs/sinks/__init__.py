"""Where else a run's entries go: console, TensorBoard, Weights & Biases, MLflow, a `Sink` of one's own."""

from sightline.runs.sinks.console import Console
from sightline.runs.sinks.mlflow import MLflow
from sightline.runs.sinks.sink import RunInfo, Sink
from sightline.runs.sinks.tensorboard import TensorBoard
from sightline.runs.sinks.wandb import WandB

__all__ = ["Console", "MLflow", "RunInfo", "Sink", "TensorBoard", "WandB"]
