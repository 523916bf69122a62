"""Settings that would do nothing are refused: whoever wrote them meant something."""

from collections.abc import Iterator

from sightline.config import place_of
from sightline.engine.spec import LoaderConfig, Spec, TrainerConfig
from sightline.errors import SightlineError
from sightline.tasks import Task

_OF_VALIDATION = ("validate_every", "monitor", "mode", "keep_best")


def refuse_unused(spec: Spec, task: Task, *, validates: bool) -> None:
    """Refuse what has no effect on a training of ``task``.

    Args:
        validates: whether there is a validation.

    Raises:
        SightlineError: the first such setting, by its place.
    """
    for place, reason in _unused(spec, task, validates):
        raise SightlineError(f"{place}: has no effect, as {reason}; leave it out.")


def _unused(spec: Spec, task: Task, validates: bool) -> Iterator[tuple[str, str]]:
    if spec.model is not None and type(task).build_model is not Task.build_model:
        yield place_of(spec, "model"), f"{type(task).__name__} builds its own model"

    def tests() -> bool:
        return spec.data.test is not None or task.build_dataset("test") is not None

    if spec.trainer.test_at_end and not tests():
        yield place_of(spec.trainer, "test_at_end", where="trainer"), "there is no test dataset"
    if validates:
        return
    no_data = "there is no validation dataset"
    reason = "trainer.validate_every is null" if spec.trainer.validate_every is None else no_data
    for name in _OF_VALIDATION:
        value, default = getattr(spec.trainer, name), TrainerConfig.model_fields[name].default
        if value != default and value is not None:
            yield place_of(spec.trainer, name, where="trainer"), reason
    if spec.metrics and not tests():
        yield place_of(spec, "metrics"), f"{reason}, nor a test dataset"
    if isinstance(spec.loader, LoaderConfig) and spec.loader.eval_batch_size and not tests():
        yield place_of(spec.loader, "eval_batch_size", where="loader"), f"{reason}, nor a test dataset"
