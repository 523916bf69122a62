"""How files are predicted with."""

from pathlib import Path

from sightline.config import Config
from sightline.deploy.files.tracking import TrackerConfig


class FileSettings(Config):
    """How files are predicted with."""

    threshold: float | None = None
    """What is less sure is left out; null: results hold all of it, pictures what is fairly sure."""
    draw: Path | None = None
    """A folder for pictures and videos with the predictions drawn on them."""
    tracker: TrackerConfig | None = None
    """How objects are followed from frame to frame of a video; null: they are not."""
