"""From a trained model to a file. Importing this imports torch, which the extra ``train`` installs."""

from sightline.deploy.export.exporting import Exported, default_name, export_model
from sightline.deploy.export.file import export_module

__all__ = ["Exported", "default_name", "export_model", "export_module"]
