"""`open_model`: a predictor of whatever holds a model."""

from pathlib import Path

from sightline.deploy.card import ModelCard
from sightline.deploy.card_files import Format, format_of, read_card
from sightline.deploy.predictor import BATCH, Predictor
from sightline.deploy.session import OnnxSession, Session
from sightline.errors import SightlineError


def open_model(
    path: str | Path,
    *,
    device: str = "auto",
    batch_size: int = BATCH,
    parallel: int = 1,
    card: ModelCard | None = None,
    best: bool = True,
) -> Predictor:
    """The model in a file that `sightline export` made, or of a run, ready to predict.

    An ONNX file needs ONNX Runtime and no PyTorch; all else needs PyTorch.

    Args:
        path: an ``.onnx``, ``.pt2``, ``.torchscript`` or ``.safetensors`` file, or what `sightline eval`
            takes: a run, a checkpoint's folder, a saved ``.zip``.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``; with ONNX Runtime also
            ``tensorrt`` and ``coreml``.
        batch_size: images that the model is given at once, where it takes any number.
        parallel: batches that ONNX Runtime is to compute at once, each with its share of the CPU's cores.
            `predict_files` and `make_map` give it as many; who gives one at a time leaves this at 1.
        card: in place of that in the file, for a model from elsewhere.
        best: whether to take a run's best checkpoint, or its last.

    Raises:
        SightlineError: it cannot be read, has no card, or the device is not there.
    """
    path = Path(path)
    kind = format_of(path)
    if kind is None:
        return _of_run(str(path), device, batch_size, best)
    card = read_card(path) if card is None else card
    session: Session
    if kind == "onnx":
        session = OnnxSession(path, device, parallel)
    else:
        session = _torch_session(path, kind, card, device)
    return Predictor(card, session, batch_size)


def _of_run(name: str, device: str, batch_size: int, best: bool) -> Predictor:
    try:
        from sightline.deploy.runs import predictor_of
        from sightline.engine.opening import opened
    except ImportError:
        raise SightlineError(
            f"{name}: is no model file, and what else holds a model needs PyTorch; install it with "
            "pip install 'sightline[train]'."
        ) from None
    return predictor_of(opened(name, best=best), device, batch_size)


def _torch_session(path: Path, kind: Format, card: ModelCard, device: str) -> Session:
    try:
        from sightline.deploy.torch_session import open_session
    except ImportError:
        raise SightlineError(
            f"{path}: needs PyTorch; install it with pip install 'sightline[train]', or export it as onnx."
        ) from None
    return open_session(path, kind, card, device)
