"""The weights that libraries have for their models, as the libraries' models name them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor

from sightline.errors import SightlineError
from sightline.models.names import Catalogue, ModelName, smp_names, timm_names, torchvision_names
from sightline.models.pretrained.hub_files import hub_file


class Source(NamedTuple):
    """Where a model's weights are: their whole ``name`` (with the tag that says what they were trained on),
    the ``address`` of where they are described or kept, their ``licence`` (empty: not stated), and how to
    ``fetch`` them."""

    name: ModelName
    address: str
    licence: str
    fetch: Callable[[], dict[str, Tensor]]


def torchvision_weight_names() -> tuple[str, ...]:
    """The models of torchvision that have weights for still images: classifiers and detectors."""
    from torchvision import models

    return (*torchvision_names(), *models.list_models(module=models.detection))


def transformers_names() -> tuple[str, ...]:
    """The detectors of transformers that `sightline.models.detector` knows."""
    from sightline.models.detection.detr_sizes import DETR_SIZES

    return tuple(DETR_SIZES)


WEIGHTS: Catalogue = {
    "timm": timm_names,
    "torchvision": torchvision_weight_names,
    "smp": smp_names,
    "transformers": transformers_names,
}
"""The models that have weights to fetch, by library."""


def source_of(model: ModelName) -> Source:
    """Where the weights of a model are; nothing is fetched yet.

    Raises:
        SightlineError: it has none.
    """
    if model.library == "sightline":
        raise SightlineError(
            f"{model.name}: has no pretrained weights; give `pretrained` a file, or leave it out."
        )
    kinds = {"timm": _timm, "torchvision": _torchvision, "smp": _smp, "transformers": _transformers}
    return kinds[model.library](model)


def _timm(model: ModelName) -> Source:
    import timm

    try:
        facts = timm.get_pretrained_cfg(model.name)
    except RuntimeError as error:
        tags = ", ".join(timm.list_pretrained(model.name.partition(".")[0])) or "none"
        raise SightlineError(f"{model}: there are no such weights; there are: {tags}.") from error
    if facts is None or not facts.has_weights:
        raise _none(model)

    def fetch() -> dict[str, Tensor]:
        overlay: dict[str, Any] = {}
        if facts.hf_hub_id and not facts.custom_load:
            names = (facts.hf_hub_filename,) if facts.hf_hub_filename else _HUB_NAMES
            overlay["file"] = str(hub_file(facts.hf_hub_id, names))
        built = timm.create_model(model.name, pretrained=True, pretrained_cfg_overlay=overlay)
        return built.state_dict()

    whole = f"{facts.architecture or model.name.partition('.')[0]}"
    address = f"https://huggingface.co/{facts.hf_hub_id}" if facts.hf_hub_id else str(facts.url)
    name = ModelName("timm", f"{whole}.{facts.tag}" if facts.tag else whole)
    return Source(name, address, facts.license or "", fetch)


_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")


def _torchvision(model: ModelName) -> Source:
    from torchvision.models import get_model_weights

    choices = list(get_model_weights(model.name))
    if not choices:
        raise _none(model)
    weights = get_model_weights(model.name)["DEFAULT"]

    def fetch() -> dict[str, Tensor]:
        return dict(weights.get_state_dict(progress=False, check_hash=True))

    return Source(model, weights.url, weights.meta.get("license", "bsd-3-clause"), fetch)


def _smp(model: ModelName) -> Source:
    from segmentation_models_pytorch.encoders import encoders

    choices = encoders[model.name]["pretrained_settings"]
    if not choices:
        raise _none(model)
    settings = choices.get("imagenet") or next(iter(choices.values()))

    def fetch() -> dict[str, Tensor]:
        return load_file(hub_file(settings["repo_id"], ("model.safetensors",), settings["revision"]))

    return Source(model, f"https://huggingface.co/{settings['repo_id']}", "", fetch)


def _transformers(model: ModelName) -> Source:
    from sightline.models.detection.detr_sizes import DETR_SIZES

    repository = DETR_SIZES[model.name].weights

    def fetch() -> dict[str, Tensor]:
        from transformers import AutoModelForObjectDetection

        files = [hub_file(repository, (name,)) for name in ("config.json", "model.safetensors")]
        built = AutoModelForObjectDetection.from_pretrained(files[0].parent, local_files_only=True)
        return built.state_dict()

    return Source(model, f"https://huggingface.co/{repository}", "", fetch)


def _none(model: ModelName) -> SightlineError:
    return SightlineError(
        f"{model}: its library has no pretrained weights; give `pretrained` a file, or leave it out."
    )
