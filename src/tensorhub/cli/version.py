"""Which version of TensorHub runs.

Duty: ask the installed distribution. Not its duty: versions of formats, which the store keeps.
"""

from importlib.metadata import PackageNotFoundError, version


def read_version() -> str:
    """Say which version is installed; ``unknown`` when run from a source tree that is not."""
    try:
        return version("tensorhub")
    except PackageNotFoundError:
        return "unknown"
