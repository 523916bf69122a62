"""Plans: a spec for a dataset and a machine, with the reason beside each value.

* `plan` looks at both and gives a `Plan`;
* `facts` and `machine` are what it looks at;
* `classification`, `detection` and `segmentation` hold the rules, and `shared` those of all three;
* `measured` holds the numbers that were measured to train well: change them there.
"""

from sightline.planning.planner import Plan, plan

__all__ = ["Plan", "plan"]
