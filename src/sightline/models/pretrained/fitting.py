"""Weights into a model that is not quite the one they are from: other classes, other bands, other names."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.models.pretrained.bands import adapted_to_bands

_WRAPPERS = ("", "module.", "model.", "_orig_mod.", "net.", "backbone.", "encoder.")
"""What tools put before the names of a model's weights."""
_COUNTERS = "num_batches_tracked"  # of BatchNorm; old files lack them


class Fitted(NamedTuple):
    """What became of weights: how many tensors of the model were ``loaded``; the names of those that were
    ``adapted`` to other bands, and of those of the head that stay ``new``; how many were ``unused``."""

    loaded: int
    adapted: list[str]
    new: list[str]
    unused: int


def fit_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, channels: int, encoder: str = "encoder", what: str
) -> Fitted:
    """Load ``weights`` into ``model``, all of it but its head, or all of its encoder.

    Names may differ by a prefix, and by the dots that feature extractors of timm flatten (``stages.0`` and
    ``stages_0``). Convolutions of the image are adapted where the bands differ, see `adapted_to_bands`. The
    head, which is the last layer (or what timm calls the classifier), stays new where the classes differ.

    Args:
        model: changed in place.
        weights: by name.
        channels: bands of the images that the model is for.
        encoder: the submodule that weights of an encoder alone, or of a classifier, go to.
        what: where the weights are from, for messages.

    Raises:
        SightlineError: the weights do not fill the model, nor its encoder; nothing is loaded then.
    """
    own = model.state_dict()
    names = _matched(list(own), list(weights), encoder)
    if not names:
        raise SightlineError(
            f"{what}: none of its {len(weights)} tensors belongs to the model; it has '{next(iter(weights))}'"
            f" and so on, the model '{next(iter(own))}'. Give weights of the same architecture."
        )
    heads = head_prefixes(model)
    fitting: dict[str, Tensor] = {}
    adapted: list[str] = []
    misfits: list[str] = []
    for name, stored in names.items():
        target, weight = own[name], weights[stored]
        if target.shape == weight.shape:
            fitting[name] = weight
        elif _sees_bands(target, weight, channels):
            fitting[name] = adapted_to_bands(weight, channels)
            adapted.append(name)
        elif not name.startswith(heads):
            misfits.append(f"'{name}' is {tuple(weight.shape)} there and {tuple(target.shape)} in the model")
    if misfits:
        more = f", and {len(misfits) - 1} more differ" if len(misfits) > 1 else ""
        raise SightlineError(f"{what}: is of another architecture or size: {misfits[0]}{more}.")
    missing = [name for name in own if name not in fitting and not name.endswith(_COUNTERS)]
    lost = [name for name in missing if not name.startswith(heads)]
    outside = f"{encoder}."
    if any(name.startswith(outside) for name in lost) or (
        lost and not all(name.startswith(outside) for name in fitting)
    ):
        raise SightlineError(
            f"{what}: fits only {len(fitting)} of the model's {len(own)} tensors; '{lost[0]}' is missing."
            " Give weights of the same architecture."
        )
    model.load_state_dict(fitting, strict=False)
    return Fitted(len(fitting), adapted, missing, len(weights) - len(names))


def head_prefixes(model: nn.Module) -> tuple[str, ...]:
    """The beginnings of the names of what depends on the classes: timm's classifier, or the last layer."""
    known = getattr(model, "pretrained_cfg", None)
    if isinstance(known, Mapping) and (classifier := known.get("classifier")):
        return tuple(f"{one}." for one in ([classifier] if isinstance(classifier, str) else classifier))
    leaves = [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    return (f"{leaves[-1]}.",) if leaves and leaves[-1] else ()


def _sees_bands(target: Tensor, weight: Tensor, channels: int) -> bool:
    """Whether the two are convolutions of the image that differ in the bands alone."""
    same = target.ndim == weight.ndim == 4 and target.shape[0] == weight.shape[0]
    return same and target.shape[2:] == weight.shape[2:] and target.shape[1] == channels


def _matched(own: list[str], stored: list[str], encoder: str) -> dict[str, str]:
    """Names in the model, and what they are called in the file, by the prefixes under which most agree."""
    flat_own = {_flat(name): name for name in own}
    assert len(flat_own) == len(own)
    best: dict[str, str] = {}
    for wrapper in _WRAPPERS:
        bare = [name for name in stored if name.startswith(wrapper)]
        for added in ("", f"{encoder}.", f"{encoder}.model."):
            pairs = ((_flat(added + name.removeprefix(wrapper)), name) for name in bare)
            found = {flat_own[flat]: name for flat, name in pairs if flat in flat_own}
            if len(found) > len(best):
                best = found
    return best


def _flat(name: str) -> str:
    return name.replace(".", "_")
