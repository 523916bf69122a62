from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from torch import nn

from sightline.config import component
from sightline.engine import Experiment
from sightline.engine.checkpoints import checkpoints_in
from sightline.engine.parameters import freeze, frozen_in_eval_mode, parameter_groups
from sightline.errors import SightlineError


def network() -> nn.Module:
    return Tiny().build_model()


def test_what_is_frozen_stays_as_it_was(tmp_path: Path) -> None:
    spec = tiny_spec({"freeze": ["0.*", "1.*"]})
    start = {name: tensor.clone() for name, tensor in Experiment(spec).model.state_dict().items()}
    Experiment(spec, tmp_path).train()
    after = checkpoints_in(tmp_path / "checkpoints")[-1].weights()
    same = {name for name in start if torch.equal(start[name], after[name])}
    # The running statistics of the frozen BatchNorm too.
    assert same == {name for name in start if name.startswith(("0.", "1."))}


def test_freezing_nothing_or_everything_is_refused() -> None:
    with pytest.raises(SightlineError, match=r"no parameter matches 'encoder\.\*'.*0\.weight"):
        freeze(network(), ["0.*", "encoder.*"])
    with pytest.raises(SightlineError, match="nothing is left to train"):
        freeze(network(), ["*"])


def test_partly_frozen_modules_stay_in_training() -> None:
    model = network()
    freeze(model, ["0.bias", "1.*"])
    assert frozen_in_eval_mode(model) == [model[1]]  # type: ignore[index]


def test_layers_learn_the_slower_the_earlier() -> None:
    model = nn.ModuleDict(
        {
            "stem": nn.Linear(1, 1),
            "blocks": nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)),
            "head": nn.Linear(1, 1),
        }
    )
    groups = parameter_groups(model, 0.5)
    assert [(group["layer"], group["lr_scale"], len(group["params"])) for group in groups] == [
        ("stem", 0.125, 2),
        ("blocks.0", 0.25, 2),
        ("blocks.1", 0.5, 2),
        ("head", 1.0, 2),
    ]
    with pytest.raises(SightlineError, match="no layers to tell apart"):
        parameter_groups(nn.Linear(1, 1), 0.5)


def test_norms_go_with_their_layer_and_what_follows_an_encoder_is_one_layer() -> None:
    encoder = {
        "conv1": nn.Conv2d(1, 1, 3),
        "bn1": nn.BatchNorm2d(1),
        "layer1": nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)),
        "norm": nn.LayerNorm(1),
    }
    decoder = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    patches = nn.Conv2d(1, 1, 3)
    model = nn.ModuleDict(
        {
            "patches": patches,
            "encoder": nn.ModuleDict(encoder),
            "decoder": decoder,
            "head": nn.Conv2d(1, 1, 1),
        }
    )
    groups = parameter_groups(model, 0.5)
    assert [(group["layer"], group["lr_scale"], len(group["params"])) for group in groups] == [
        ("patches", 0.125, 2),
        ("encoder.conv1", 0.25, 4),
        ("encoder.layer1", 0.5, 6),
        ("the rest", 1.0, 6),
    ]


def test_rates_by_layer_are_used(tmp_path: Path) -> None:
    spec = tiny_spec({"layer_decay": 0.1}, optimizer=component(torch.optim.SGD, lr=0.1))
    trainer = Experiment(spec, tmp_path).trainer()
    assert [group["lr"] for group in trainer.optimizer.param_groups] == pytest.approx([0.01, 0.1])
