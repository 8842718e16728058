"""The planner: which codecs a chunk is worth, within a mode.

Duty: predict sizes from samples, encode with the few codecs that may win, and decode by record.
Not its duty: choosing a base (lineage) or keeping bytes (store).
Invariants: a planned chunk is never longer than its raw bytes; decisions are deterministic; what a chunk was
coded with stands in its record, so rules may change without a new format.

==========  =============================  ==========================================
mode        without a base                 with a base, where that is smaller
==========  =============================  ==========================================
fast        ``planes`` with cascades       ``ulp_delta_fast``
balanced    ``planes`` with rANS           ``ulp_delta_fast``, or ``ulp_delta`` where it
                                           saves 15 % more
max         the smallest of all            the smallest of all
==========  =============================  ==========================================

``zstd`` takes part where a sample of the bytes repeats. How far predictions are off is measured by
``python -m benchmarks.planner`` and kept in ``benchmarks/records/planner.json``.
"""

from __future__ import annotations

from dataclasses import replace

from tensorhub._native import PlanesPlan, UlpPlan, plan_planes, plan_ulp_delta
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.byte_statistics import sample_pieces
from tensorhub.codecs.damage import require_prediction
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planes import MAX_WIDTH
from tensorhub.codecs.registry import (
    JOINT,
    PLANES,
    PLANES_ZSTD,
    RAW,
    ULP_DELTA,
    ULP_DELTA_FAST,
    ZSTD,
    codec_for_record,
)
from tensorhub.codecs.ulp_delta import WIDTHS
from tensorhub.codecs.zstd_frames import ZstdSettings, compress_frame

# Below this many bytes a chunk's own size tells more than a sample: everything of the mode is encoded.
_TRY_ALL_NBYTES = 4 << 10
# Two candidates whose predicted sizes are this close are both made in full. Predictions of ulp deltas were 0.1 to
# 6 % off in the median, of planes 0.2 to 1.1 % (record planner.json).
_CLOSE_CALL = 1.10
# Decoding at half the speed (record codecs.json) must be worth it: the slower delta saves 15 % more, or is not taken.
_WORTH_SLOW_DELTA = 0.85
# The sample on which zstd shows whether bytes repeat: long enough pieces to see lines of text and rows of ids.
_SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES = 4, 4096
# Without repeats zstd is Huffman coding and comes near the prediction (on FP8 1.217 against 1.224, record
# codecs.json), so that it must be clearly better on the sample to be asked.
_REPEATS_SHARE = 0.9
# Weights do not repeat: planes of BF16, F16 and F32 come to 0.66 to 0.85 of the raw bytes (record codecs.json). Well
# around that zstd is not asked.
_WEIGHT_SHARES = (0.5, 0.97)


def encode_chunk(target: Buffer, context: CodecContext, mode: Mode = Mode.BALANCED) -> CodedChunk:
    """Encode a chunk with the codec of the mode that makes it smallest.

    Parameters
    ----------
    target : shape (nbytes,), uint8, borrowed, C-contiguous
        Raw bytes, up to 4 MiB.
    context
        Element width; with a prediction, codecs that need one compete with those that do not.
    mode
        Which codecs may take part.

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
    Looks at samples of some 10,000 values first. Safe to call from many threads; the work is done without the GIL.
    """
    view = memoryview(target)
    used = replace(
        context,
        mode=mode,
        planes_plan=_plan_planes(view, context.element_width),
        delta_plan=None if context.prediction is None else _plan_delta(view, context),
    )
    best: CodedChunk | None = None
    for codec in _contenders(view, used):
        coded = codec.encode(view, used)
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
    mode
        Which codecs may take part.

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
    """Predict the coded size of bytes without coding them.

    Parameters
    ----------
    target : shape (nbytes,), uint8, borrowed, C-contiguous
        Raw bytes, up to 4 MiB.
    context
        With a prediction, the size of the smallest delta is predicted; without, that of standalone coding.

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
    Order-0 entropies of a sample, tables included for deltas; repeats that zstd would find are not seen.
    """
    view = memoryview(target)
    if context.prediction is None:
        return min(len(view), _plan_planes(view, context.element_width).nbytes)
    plan = _plan_delta(view, context)
    return len(view) if plan is None else min(len(view), plan.nbytes)


def _plan_planes(target: memoryview, width: int) -> PlanesPlan:
    return plan_planes(target, width if width <= MAX_WIDTH else 1)


def _plan_delta(target: memoryview, context: CodecContext) -> UlpPlan | None:
    """Look at a sample of target and prediction; None where the width has no differences."""
    prediction = require_prediction("the planner", context.prediction, len(target))
    if context.element_width not in WIDTHS:
        return None
    return plan_ulp_delta(target, prediction, context.element_width)


def _contenders(target: memoryview, context: CodecContext) -> list[ResidualCodec]:
    """Give the codecs that are worth a full encode."""
    alone = len(target) if context.planes_plan is None else context.planes_plan.nbytes
    if context.delta_plan is None:
        return _standalone(target, context, alone)
    small, fast = context.delta_plan.nbytes, context.delta_plan.fast_nbytes
    if context.mode is Mode.MAX:
        deltas: list[ResidualCodec] = (
            [ULP_DELTA, ULP_DELTA_FAST] if fast < small * _CLOSE_CALL else [ULP_DELTA]
        )
        delta = small
    elif context.mode is Mode.BALANCED and small < _WORTH_SLOW_DELTA * fast:
        deltas, delta = [ULP_DELTA], small
    else:
        deltas, delta = [ULP_DELTA_FAST], fast
    if len(target) <= _TRY_ALL_NBYTES:
        return [*deltas, *_standalone(target, context, alone)]
    contenders: list[ResidualCodec] = []
    if delta <= alone * _CLOSE_CALL:
        contenders += deltas
    if alone <= delta * _CLOSE_CALL:
        contenders += _standalone(target, context, alone)
    elif not _is_like_weights(target, context.element_width, alone):
        contenders += [ZSTD] if _repeats(target, context.element_width, delta) else []
    return contenders


def _standalone(target: memoryview, context: CodecContext, predicted: int) -> list[ResidualCodec]:
    """Give the codecs without a prediction that may be the smallest."""
    width, is_max = context.element_width, context.mode is Mode.MAX
    is_like_weights = _is_like_weights(target, width, predicted)
    contenders: list[ResidualCodec] = [PLANES]
    if is_max and width in (2, 4):
        # Of plain floats joint symbols are always smaller, if only by 0.3 %; both are made where it is open.
        contenders = [JOINT] if is_like_weights and len(target) > _TRY_ALL_NBYTES else [PLANES, JOINT]
    if not is_like_weights and _repeats(target, width, predicted):
        contenders = [*contenders, ZSTD, PLANES_ZSTD] if is_max else [ZSTD]
    return contenders


def _is_like_weights(target: memoryview, width: int, predicted: int) -> bool:
    low, high = _WEIGHT_SHARES
    return width > 1 and low * len(target) < predicted < high * len(target)


def _repeats(target: memoryview, width: int, predicted: int) -> bool:
    """Say whether zstd makes less of a sample than entropy coding promises."""
    piece_nbytes = max(1, _SAMPLE_PIECE_NBYTES // width) * width
    sample = sample_pieces(target, _SAMPLE_PIECES, piece_nbytes, width)
    if not len(sample):
        return False
    coded = len(compress_frame(sample, ZstdSettings.GENERIC_FAST))
    return coded * len(target) < _REPEATS_SHARE * predicted * len(sample)
