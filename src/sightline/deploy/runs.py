"""Runs and checkpoints as predictors, in PyTorch, without a file in between."""

from copy import deepcopy

from sightline.deploy.describing import describe
from sightline.deploy.graph import Graph
from sightline.deploy.predictor import Predictor
from sightline.deploy.torch_session import TorchSession, torch_device
from sightline.engine import Experiment


def predictor_of(experiment: Experiment, device: str, batch_size: int) -> Predictor:
    """What `open_model` gives for a run.

    Raises:
        SightlineError: its task is none of those on images, or the device is not there.
    """
    card, place = describe(experiment), torch_device(device)
    graph = Graph(deepcopy(experiment.model), card).eval().to(place)
    return Predictor(card, TorchSession(graph, place), batch_size)
