"""What `pretrained` of a model means."""

import logging
import sys
from pathlib import Path

from torch import Tensor, nn

from sightline.models.names import ModelName
from sightline.models.pretrained.fitting import Fitted, fit_weights
from sightline.models.pretrained.store import weights_of
from sightline.models.pretrained.weight_files import read_weights_file

Pretrained = bool | str | Path
"""False: random weights. True: the library's own, out of `sightline weights pull`, its cache or the network.
A path: a file of weights."""

_log = logging.getLogger(__name__)


def load_pretrained(
    model: nn.Module, pretrained: Pretrained, source: ModelName, *, channels: int, encoder: str = "encoder"
) -> Fitted | None:
    """Load into ``model`` what ``pretrained`` names; None where that is nothing.

    Args:
        model: just built.
        pretrained: see `Pretrained`.
        source: whose weights True means: the model itself, or its encoder.
        channels: bands of the images that the model is for.
        encoder: the submodule that weights of an encoder go to.

    Raises:
        SightlineError: they are missing, cannot be fetched, or do not fit; see `fit_weights`.
    """
    if pretrained is False:
        return None
    if pretrained is True:
        weights, what = weights_of(source), str(source)
    else:
        weights, what = read_weights_file(Path(pretrained)), str(pretrained)
    weights = _for_size(model, weights)
    fitted = fit_weights(model, weights, channels=channels, encoder=encoder, what=what)
    _log.info(
        "%s: %d tensors loaded, %d of the model's stay new, %d not used",
        what,
        fitted.loaded,
        len(fitted.new),
        fitted.unused,
    )
    return fitted


def _for_size(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Position embeddings resampled for the model's image size, by the rule of its architecture in timm."""
    module = sys.modules[type(model).__module__]
    adapt = getattr(module, "checkpoint_filter_fn", None)
    return adapt(weights, model) if adapt and module.__name__.startswith("timm.") else weights
