"""The predictor *none*: no source, no prediction; the chunk stands by itself.

Duty: say so. Not its duty: anything else.
Invariant: takes no sources and no parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorhub.codecs.base import Buffer, Predictor
from tensorhub.codecs.damage import check_no_parameters, check_version, corrupt_chunk


class NonePredictor(Predictor):
    """Predicts nothing."""

    predictor_id = 0
    name = "none"
    source_count = 0

    def predict(  # noqa: D102 - docstring inherited
        self, sources: Sequence[Buffer], nbytes: int, version: int, parameters: bytes
    ) -> None:
        check_version(self.name, self.version, version)
        check_no_parameters(self.name, parameters)
        if sources:
            raise corrupt_chunk(self.name, "no sources", f"{len(sources)} sources")
