"""The two small interfaces that every codec and predictor implements.

Duty: the contract of residual codecs and predictors, and the values they exchange.
Not its duty: choosing between them (``planner``), finding them by id (``registry``).
Invariants: ``decode(encode(x)) == x`` for every bit pattern; an implementation keeps no state between calls
and is safe to call from many threads; the compiled parts release the GIL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tensorhub._native import PlanesPlan, UlpPlan
from tensorhub.codecs.mode import Mode

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class CodecContext:
    """What a residual codec may look at beside the chunk itself.

    Attributes
    ----------
    element_width
        Bytes per element, at least 1.
    prediction
        Predicted bytes, of the chunk's length; None where the predictor is *none*.
    model
        The blob's shared model block, or None.
    mode
        How hard an encoder tries; decoders do not look at it.
    planes_plan, delta_plan
        What the planner learned of the target, and of target and prediction, so that an encoder need not look
        again; may be None, and decoders do not look at them.
    """

    element_width: int
    prediction: Buffer | None = None
    model: Buffer | None = None
    mode: Mode = Mode.BALANCED
    planes_plan: PlanesPlan | None = None
    delta_plan: UlpPlan | None = None


@dataclass(frozen=True, slots=True)
class CodedChunk:
    """What an encoder made.

    Attributes
    ----------
    codec_id, codec_version
        Which codec, so that its decoder is found again.
    parameters
        Small facts that the decoder needs; they lie in the chunk record.
    data
        Coded bytes; they lie in the pack.
    """

    codec_id: int
    codec_version: int
    parameters: bytes
    data: bytes

    @property
    def nbytes(self) -> int:
        """Bytes on disk, parameters included."""
        return len(self.data) + len(self.parameters)


class ResidualCodec(ABC):
    """A reversible step from chunk bytes to coded bytes.

    One file per codec. ``codec_id`` is written to disk and never reused; a change of layout takes a new
    ``version``, and decoders for old versions stay for ever.
    """

    codec_id: ClassVar[int]
    version: ClassVar[int] = 1
    name: ClassVar[str]
    needs_prediction: ClassVar[bool] = False

    @abstractmethod
    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:
        """Code a chunk.

        Parameters
        ----------
        target : shape (nbytes,), uint8, borrowed, C-contiguous
            Raw bytes; any length up to 4 MiB, not always a multiple of the element width.
        context
            Prediction of equal length where ``needs_prediction``.

        Returns
        -------
        CodedChunk or None
            None where the codec cannot code this chunk (say, the element width has no planes) or sees
            early that coding would not make it smaller.

        Raises
        ------
        ShapeMismatchError
            The prediction's length differs from the target's.
        """

    @abstractmethod
    def decode(
        self,
        coded: Buffer,
        context: CodecContext,
        version: int,
        parameters: bytes,
        out: bytearray | memoryview,
    ) -> None:
        """Decode a chunk into ``out``.

        Parameters
        ----------
        coded : shape (stored_nbytes,), uint8, borrowed
            What ``encode`` gave. It may be hostile: no length in it is trusted.
        context
            As for ``encode``.
        version, parameters
            From the chunk record.
        out : shape (nbytes,), uint8, writable, C-contiguous
            Filled completely; its length is the decoded length.

        Raises
        ------
        CorruptPackError
            The coded bytes break the codec's layout or do not fill ``out`` exactly.
        UnsupportedVersionError
            ``version`` is newer than this code.
        ShapeMismatchError
            The prediction is missing or of another length.
        """


class Predictor(ABC):
    """Makes the bytes that a residual is coded against out of zero or more sources."""

    predictor_id: ClassVar[int]
    version: ClassVar[int] = 1
    name: ClassVar[str]
    source_count: ClassVar[int]

    @abstractmethod
    def predict(
        self, sources: Sequence[Buffer], nbytes: int, version: int, parameters: bytes
    ) -> Buffer | None:
        """Make the prediction of a chunk.

        Parameters
        ----------
        sources
            Decoded bytes of each source range, in order; borrowed.
        nbytes
            Length of the chunk.
        version, parameters
            From the chunk record.

        Returns
        -------
        Buffer or None
            ``nbytes`` bytes; may be a view of a source. None means that nothing is predicted.

        Raises
        ------
        CorruptPackError
            The number or the lengths of the sources do not fit.
        """
