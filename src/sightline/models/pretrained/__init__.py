"""Weights that somebody trained before: where they come from, and how they are fitted to a model.

`load_pretrained` is what models call. `pull` fetches the weights of a name ahead, as one safetensors file.
"""

from sightline.models.pretrained.fitting import Fitted, fit_weights
from sightline.models.pretrained.loading import Pretrained, load_pretrained
from sightline.models.pretrained.weight_files import WEIGHT_SUFFIXES, read_weights_file

__all__ = ["WEIGHT_SUFFIXES", "Fitted", "Pretrained", "fit_weights", "load_pretrained", "read_weights_file"]
