"""Hugging Face ``datasets``: objects in memory, folders of ``save_to_disk``, and datasets of the hub.

A column is a task: ``label`` an image classification, ``objects`` the boxes, ``mask`` a label map; a
task of another name than its primitive's own has a column of that name.
"""

from sightline.data.formats.huggingface.reading import is_huggingface, read_huggingface
from sightline.data.formats.huggingface.writing import write_huggingface

__all__ = ["is_huggingface", "read_huggingface", "write_huggingface"]
