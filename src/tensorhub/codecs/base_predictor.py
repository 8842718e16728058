"""The predictor *base*: the bytes of one base at an offset are the prediction.

Duty: fine-tunes, checkpoints, resized vocabularies: chunk and base range lie side by side.
Not its duty: finding the base (lineage) or reading it (store).
Invariant: the prediction is the source, followed by zeros where the source is shorter than the chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorhub.codecs.base import Buffer, Predictor
from tensorhub.codecs.damage import check_no_parameters, check_version, corrupt_chunk


class BasePredictor(Predictor):
    """Predicts that the chunk equals its source."""

    predictor_id = 1
    name = "base"
    source_count = 1

    def predict(  # noqa: D102 - docstring inherited
        self, sources: Sequence[Buffer], nbytes: int, version: int, parameters: bytes
    ) -> Buffer:
        check_version(self.name, self.version, version)
        check_no_parameters(self.name, parameters)
        if len(sources) != self.source_count:
            raise corrupt_chunk(self.name, "one source", f"{len(sources)} sources")
        source = sources[0]
        if len(source) > nbytes:
            raise corrupt_chunk(self.name, f"a source of at most {nbytes} bytes", f"{len(source)} bytes")
        if len(source) == nbytes:
            return source
        # Rare (the last chunk of a grown tensor), so fresh memory: the caller may keep the prediction.
        padded = bytearray(nbytes)
        padded[: len(source)] = source
        return padded
