"""The planner: which codec makes a chunk smallest.

Duty: try codecs on a sample, encode with the winner, estimate sizes, and decode by record.
Not its duty: choosing a base (lineage) or keeping bytes (store).
Invariants: knows codecs only by their interface, so that a new one takes part once it is registered; a
planned chunk is never longer than its raw bytes; decisions are deterministic.
"""

from __future__ import annotations

from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.byte_statistics import sample_pieces
from tensorhub.codecs.damage import check_prediction_size
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.registry import CODECS, RAW, codec_for_record

# The sample: 8 pieces of 2 KiB, spread because neighbouring rows resemble each other, each long enough to
# show repeats inside a line of text. Trying the standalone codecs on it costs 11 % of coding 1 MiB of BF16;
# twice the sample cost 14 % and changed no choice of codec on the model family it was measured on.
_SAMPLE_PIECES = 8
_SAMPLE_PIECE_NBYTES = 2048
# Up to here every codec simply encodes the whole chunk: a sample would be no cheaper.
_TRY_ALL_NBYTES = 64 << 10
# Where the samples of the best delta and the best standalone codec are this close, both are made in full.
# Sampled sizes of deltas of fine-tunes were 1.00 to 1.21 of the final ones, in the median 1.03.
_CLOSE_CALL = 1.10


def encode_chunk(target: Buffer, context: CodecContext, mode: Mode = Mode.BALANCED) -> CodedChunk:
    """Encode a chunk with the codec that makes it smallest.

    Parameters
    ----------
    target : shape (nbytes,), uint8, borrowed, C-contiguous
        Raw bytes, up to 4 MiB.
    context
        Element width; with a prediction, codecs that need one compete with those that do not.

    Returns
    -------
    CodedChunk
        At most ``nbytes`` long; raw where nothing helps. Whether it needs the prediction again is
        ``codec_for_record(coded.codec_id, coded.codec_version).needs_prediction``.

    Raises
    ------
    ShapeMismatchError
        The prediction's length differs from the target's.

    Notes
    -----
    Chunks longer than 64 KiB are decided on a sample of 16 KiB. Safe to call from many threads.
    """
    view = memoryview(target)
    best: CodedChunk | None = None
    for codec in _contenders(view, context):
        coded = codec.encode(view, context)
        if coded is not None and coded.nbytes < (len(view) if best is None else best.nbytes):
            best = coded
    return RAW.encode(view, context) if best is None else best


def encode_smallest(
    target: Buffer, element_width: int, prediction: Buffer | None, mode: Mode = Mode.BALANCED
) -> tuple[CodedChunk, bool]:
    """Encode a chunk against a prediction, or by itself where that is not larger.

    Parameters
    ----------
    target : shape (nbytes,), uint8, borrowed, C-contiguous
        Raw bytes.
    element_width
        Bytes per element.
    prediction : shape (nbytes,), uint8, borrowed, or None
        What a predictor made.

    Returns
    -------
    CodedChunk
        The smaller one.
    bool
        Whether it was coded against the prediction. If not, the chunk record names the predictor *none*.

    Raises
    ------
    ShapeMismatchError
        The prediction's length differs from the target's.
    """
    coded = encode_chunk(target, CodecContext(element_width, prediction), mode)
    return coded, codec_for_record(coded.codec_id, coded.codec_version).needs_prediction


def decode_chunk(
    codec_id: int,
    codec_version: int,
    parameters: bytes,
    coded: Buffer,
    context: CodecContext,
    out: bytearray | memoryview,
) -> None:
    """Decode a chunk by what its record says.

    Parameters
    ----------
    codec_id, codec_version, parameters
        From the chunk record.
    coded : shape (stored_nbytes,), uint8, borrowed
        Coded bytes; may be hostile.
    context
        Element width, and the prediction where the codec needs it.
    out : shape (nbytes,), uint8, writable, C-contiguous
        Filled completely.

    Raises
    ------
    CorruptPackError
        The coded bytes break the codec's layout.
    UnsupportedVersionError
        A newer TensorHub wrote the chunk.
    ShapeMismatchError
        The prediction is missing or of another length.
    """
    codec_for_record(codec_id, codec_version).decode(coded, context, codec_version, parameters, out)


def estimate_nbytes(target: Buffer, context: CodecContext) -> int:
    """Estimate the best coded size of a chunk from a sample.

    Parameters
    ----------
    target : shape (nbytes,), uint8, borrowed, C-contiguous
        Raw bytes.
    context
        With a prediction, the size of the best delta is estimated; without, that of the best standalone
        coding.

    Returns
    -------
    int
        Bytes, at most ``nbytes``.

    Raises
    ------
    ShapeMismatchError
        The prediction's length differs from the target's.

    Notes
    -----
    Reads 16 KiB at most. Errs upwards, by the tables and heads that a sample pays for as a chunk does: under
    1 % standalone, 3 to 6 % on deltas of fine-tunes (at worst 21 % among 192
    chunks), a third where a delta is 20 times smaller.
    """
    nbytes = len(target)
    wants_delta = context.prediction is not None
    sample, sample_context = _sample(memoryview(target), context)
    sizes = [
        coded.nbytes
        for codec in _candidates(context)
        if codec.needs_prediction == wants_delta
        and (coded := codec.encode(sample, sample_context)) is not None
    ]
    smallest = min([*sizes, len(sample)])
    return min(nbytes, -(-smallest * nbytes // len(sample))) if len(sample) else 0


def _candidates(context: CodecContext) -> list[ResidualCodec]:
    has_prediction = context.prediction is not None
    return [codec for codec in CODECS if codec is not RAW and (has_prediction or not codec.needs_prediction)]


def _contenders(target: memoryview, context: CodecContext) -> list[ResidualCodec]:
    # The codecs worth a full encode: all for a small chunk; else the sample's best, and the best of the other
    # kind (delta or standalone) on a close call.
    if len(target) <= _TRY_ALL_NBYTES:
        return _candidates(context)
    sample, sample_context = _sample(target, context)
    best: dict[bool, tuple[int, ResidualCodec]] = {}
    for codec in _candidates(context):
        coded = codec.encode(sample, sample_context)
        nbytes = len(sample) if coded is None else coded.nbytes
        kind = codec.needs_prediction
        if nbytes < len(sample) and (kind not in best or nbytes < best[kind][0]):
            best[kind] = nbytes, codec
    limit = _CLOSE_CALL * min([nbytes for nbytes, _ in best.values()], default=0)
    return [codec for nbytes, codec in best.values() if nbytes <= limit]


def _sample(target: memoryview, context: CodecContext) -> tuple[Buffer, CodecContext]:
    width = context.element_width
    # Whole elements; a piece is never empty, however wide the element.
    piece_nbytes = max(1, _SAMPLE_PIECE_NBYTES // width) * width
    prediction = context.prediction
    if prediction is None:
        return sample_pieces(target, _SAMPLE_PIECES, piece_nbytes, width), context
    check_prediction_size("the planner", len(prediction), len(target))
    return (
        sample_pieces(target, _SAMPLE_PIECES, piece_nbytes, width),
        CodecContext(
            width,
            sample_pieces(memoryview(prediction), _SAMPLE_PIECES, piece_nbytes, width),
            context.model,
        ),
    )
