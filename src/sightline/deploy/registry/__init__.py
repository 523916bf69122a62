"""Exported models by name and date, in a folder or an object store."""

from sightline.deploy.registry.registry import Registry, Revision

__all__ = ["Registry", "Revision"]
