"""Classifiers by name: own small nets, and all of timm and torchvision."""

from typing import Any

from torch import nn

from sightline.models.classification.libraries import timm_classifier, torchvision_classifier
from sightline.models.classification.small_mlp import small_mlp
from sightline.models.classification.small_resnet import small_resnet
from sightline.models.constructing import checked_sizes, constructed
from sightline.models.names import Catalogue, resolved, timm_names, torchvision_names
from sightline.models.pretrained import Pretrained, load_pretrained

OWN = {constructor.__name__: constructor for constructor in (small_resnet, small_mlp)}
"""Nets of this project by name; each takes ``classes`` and ``channels``."""

_CATALOGUE: Catalogue = {"sightline": lambda: OWN, "timm": timm_names, "torchvision": torchvision_names}


def classifier(
    name: str, *, classes: int, channels: int = 3, pretrained: Pretrained = False, **options: Any
) -> nn.Module:
    """A model that gives the logits (B, classes) of images (B, channels, H, W).

    Args:
        name: ``small_resnet`` or ``small_mlp``; any model of timm, such as ``resnet18`` or
            ``convnext_tiny.fb_in22k``, where what follows the dot names pretrained weights; any classifier of
            torchvision. Where both have one, a bare name means timm's; ``torchvision/resnet18`` says which.
        classes: how many logits there are.
        channels: bands of the images. Pretrained weights are adapted to other than three.
        pretrained: True for the library's weights (see `sightline weights pull`), or a file of weights
            (.safetensors, or a state_dict that torch saved). The last layer starts anew where the classes
            differ.
        options: of the model's constructor, such as ``width`` or ``drop_rate``.

    Raises:
        SightlineError: there is no such model or option, or the weights are missing or do not fit.
    """
    checked_sizes(name, classes, channels)
    model_name = resolved(name, _CATALOGUE, "classifier")
    if model_name.library == "timm":
        model = timm_classifier(model_name.name, classes, channels, options)
    elif model_name.library == "torchvision":
        model = torchvision_classifier(model_name.name, classes, channels, options, pretrained is True)
    else:
        model = constructed(name, OWN[model_name.name], options, classes=classes, channels=channels)
    load_pretrained(model, pretrained, model_name, channels=channels)
    return model
