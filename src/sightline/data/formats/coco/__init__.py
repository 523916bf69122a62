"""COCO: detection boxes, polygons and run-length masks as JSON, and results (predictions) beside them.

The format: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results.

What stands where:

* An annotation's ``bbox`` is a `Bbox`, each ring of its polygons a `Polygon` and its RLE a `Bitmask`; they
  share the annotation's id as ``object_id``, by which they become one annotation again.
* ``iscrowd`` (where it is 1) and keys that COCO does not define are in the ``meta`` of an annotation, what
  an image says about itself in the ``meta`` of its sample, and ``info``, ``licenses`` and ``categories``
  in ``DatasetInfo.meta["coco"]``. Writing puts them back, so that ids and supercategories survive.
* ``area`` is on the box, and on the mask or polygon where that is the whole object.
"""

from sightline.data.formats.coco.layouts import is_coco
from sightline.data.formats.coco.reading import read_coco
from sightline.data.formats.coco.results import read_coco_results, write_coco_results
from sightline.data.formats.coco.writing import write_coco

__all__ = ["is_coco", "read_coco", "read_coco_results", "write_coco", "write_coco_results"]
