"""Where trained weights come from: runs here, artifacts of Weights & Biases or MLflow, files of weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from sightline.engine import Experiment
from sightline.engine.checkpoints import SPEC_FILE, write_weights
from sightline.engine.opening import opened
from sightline.errors import SightlineError
from sightline.files import temporary_folder
from sightline.models.pretrained import WEIGHT_SUFFIXES, read_weights_file

WANDB, MLFLOW = "wandb:", "mlflow:"


@contextmanager
def trained(
    source: str, *, spec: Path | None = None, overrides: Sequence[str] = (), best: bool = True
) -> Iterator[Experiment]:
    """The trained experiment that ``source`` names, for as long as the block lasts.

    Args:
        source: a run, a checkpoint or a saved file, as `opened` takes it;
        ``wandb:entity/project/model-id:v0``;
            ``mlflow:models:/name/1`` or ``mlflow:runs:/id/path``; or with ``spec`` a file of weights
            (safetensors, or a checkpoint of PyTorch or Lightning). Artifacts hold one of these, too.
        spec: the file that says which task and model weights are of.
        overrides: of values of the spec.
        best: whether to take a run's best checkpoint, or its last.

    Raises:
        SightlineError: there is no such thing, or its weights are not those of the model.
    """
    with temporary_folder() as folder:
        path = _fetched(source, folder)
        if path is not None:
            path = _model_in(path, source)
        elif Path(source).suffix in WEIGHT_SUFFIXES:
            path = Path(source)
        if path is None or path.suffix not in WEIGHT_SUFFIXES or path.is_dir():
            if spec is not None:
                raise SightlineError(f"{source}: has a spec of its own; leave out --spec.")
            yield opened(source if path is None else str(path), overrides, best=best)
            return
        if spec is None:
            raise SightlineError(f"{source}: holds weights alone; say with --spec which model they are of.")
        experiment = Experiment.from_file(spec, overrides)
        fitting = fitting_weights(read_weights_file(path), experiment.model.state_dict(), source)
        write_weights(folder / "fitting.safetensors", fitting)
        experiment.load_weights(folder / "fitting.safetensors")
        yield experiment


def _fetched(source: str, folder: Path) -> Path | None:
    """The folder of an artifact, downloaded; None for what is here."""
    if source.startswith(WANDB):
        return _fetch_wandb(source, folder / "artifact")
    if source.startswith(MLFLOW):
        return _fetch_mlflow(source, folder / "artifact")
    return None


def _fetch_wandb(source: str, folder: Path) -> Path:
    try:
        import wandb
    except ImportError:
        raise SightlineError(
            f"{source}: needs wandb; install it with pip install 'sightline[wandb]'."
        ) from None
    name = source.removeprefix(WANDB)
    if name.count("/") != 2 or ":" not in name:
        raise SightlineError(f"{source}: is no artifact; write wandb:entity/project/model-id:v0.")
    try:
        return Path(wandb.Api().artifact(name).download(root=str(folder)))
    except Exception as error:  # of classes that differ between its versions
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SightlineError(
            f"{source}: cannot be fetched ({reason}); is the name right, and did you `wandb login`?"
        ) from error


def _fetch_mlflow(source: str, folder: Path) -> Path:
    try:
        from mlflow.artifacts import download_artifacts
    except ImportError:
        raise SightlineError(
            f"{source}: needs MLflow; install it with pip install 'sightline[mlflow]'."
        ) from None
    folder.mkdir()
    try:
        return Path(download_artifacts(source.removeprefix(MLFLOW), dst_path=str(folder)))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SightlineError(
            f"{source}: cannot be fetched ({reason}); check the name and MLFLOW_TRACKING_URI."
        ) from error


def _model_in(path: Path, source: str) -> Path:
    """The run, checkpoint, saved file or file of weights in an artifact.

    Raises:
        SightlineError: there is none, or more than one.
    """
    if path.is_file():
        return path
    specs = sorted(path.rglob(SPEC_FILE), key=lambda one: len(one.parts))
    if specs:
        return specs[0].parent
    files = [one for one in sorted(path.rglob("*")) if one.suffix in (*WEIGHT_SUFFIXES, ".zip")]
    if len(files) == 1:
        return files[0]
    found = ", ".join(one.relative_to(path).as_posix() for one in files[:5]) or "none"
    raise SightlineError(f"{source}: is to hold one run, checkpoint or file of weights, and has {found}.")


def fitting_weights(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Of ``weights`` those that a model has, under its names: ``model.encoder.x`` may be its ``encoder.x``.

    Raises:
        SightlineError: some of the model's are not there, or of another shape.
    """
    first = next(iter(wanted))
    prefixes = sorted({name.removesuffix(first) for name in weights if name.endswith(first)}, key=len)
    for prefix in prefixes or [""]:
        if all(prefix + name in weights for name in wanted):
            found = {name: weights[prefix + name] for name in wanted}
            break
    else:
        prefix = prefixes[0] if prefixes else ""
        missing = next(name for name in wanted if prefix + name not in weights)
        raise SightlineError(f"{source}: has no '{missing}', which the spec's model has; is it of that spec?")
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise SightlineError(
                f"{source}: '{name}' is of shape {tuple(found[name].shape)}, and of {tuple(tensor.shape)} in "
                "the spec's model; is it of that spec?"
            )
    return found
