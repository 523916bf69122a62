"""How far a training is."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(slots=True)
class Progress:
    """All counts are over all ranks together.

    ``epoch``: epochs completed; ``batch``: batches of the loader that the present one has had, 0 between
    epochs; ``step``: updates of the weights; ``items``: items trained on; ``seconds``: time spent, also
    before interruptions, and ``seconds_before`` what it was at the update before.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    items: int = 0
    seconds: float = 0.0
    seconds_before: float = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The counts, by name."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the counts to those of ``state``."""
        for field in fields(self):
            setattr(self, field.name, state[field.name])
