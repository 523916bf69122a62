"""The training engine: a spec, the loop that obeys it, and exact resumption."""

from sightline.engine.callbacks import Callback
from sightline.engine.duration import Duration
from sightline.engine.experiment import Experiment
from sightline.engine.launch import launch, train
from sightline.engine.spec import Spec
from sightline.engine.trainer import Trainer

__all__ = ["Callback", "Duration", "Experiment", "Spec", "Trainer", "launch", "train"]
