"""The first process of a sandbox: it builds the root where that is its task, runs the job and buries it.

It starts as ``python -I -S`` from whatever interpreter the job uses, so it needs the standard library
only. It imports little, for a job waits for it (hence no pathlib), and imports itself relatively: it is
loaded as ``inside``, without the rest of the package.
"""
