"""A model over HTTP, with a page to try it on an image."""
