"""A model built anew from its card, for files that hold weights alone."""

from pathlib import Path

from torch import nn

from sightline.deploy.card import ModelCard
from sightline.errors import SightlineError


def built(card: ModelCard, where: Path) -> nn.Module:
    """The model that the card's ``architecture`` names, with weights that are still to be filled in.

    Only names of `sightline.models` are built, never what a class path names: a file must not run code.

    Raises:
        SightlineError: the card names none, as the model is a class of somebody's own.
    """
    architecture = card.architecture
    if architecture is None:
        raise SightlineError(
            f"{where}: holds the weights of a model of one's own, without its code; use it where that is "
            "(safetensors.torch.load_file), or export the model as onnx or pt2."
        )
    arguments = {"classes": architecture.outputs, "channels": card.channels, **architecture.options}
    if card.task == "classification":
        from sightline.models import classifier

        return classifier(architecture.name, **arguments)
    if card.task == "detection":
        from sightline.models import detector

        return detector(architecture.name, **arguments)
    from sightline.models import segmenter

    return segmenter(architecture.name, encoder=architecture.encoder, **arguments)
