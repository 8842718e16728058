"""Coding one chunk: encode, read back, compare.

Duty: the one step in which bytes become coded bytes that may count, for all that codes: ``ingest`` and
``optimize``. Not its duty: where raw bytes and predictions come from, or where coded bytes go.
Invariants: what comes out of here was decoded again and is the bytes that went in. Safe to call from many
threads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tensorhub._native import equal_bytes
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk, encode_smallest
from tensorhub.codecs.registry import CODECS
from tensorhub.errors import CorruptPackError, InvariantError
from tensorhub.store.digesting import STAGES, lap, scratch
from tensorhub.store.hashing import checksum

# Raise it when the planner chooses better, or an encoder makes less, with codecs of the same ids and versions.
_REVISION = 1


@dataclass(frozen=True, slots=True)
class Coded:
    """What coding one chunk gave.

    Attributes
    ----------
    chunk
        The coded bytes, and how they are decoded.
    checksum
        Of the coded bytes.
    is_delta
        Whether the prediction is needed to decode them.
    stage_s
        Where the time went, by the names of ``digesting.STAGES``.
    """

    chunk: CodedChunk
    checksum: int
    is_delta: bool
    stage_s: dict[str, float]


def code_chunk(raw: Buffer, element_width: int, prediction: Buffer | None, mode: Mode, name: str) -> Coded:
    """Encode a chunk, decode what came out, and compare.

    Parameters
    ----------
    raw : shape (nbytes,), uint8, borrowed, C-contiguous
        At most ``CHUNK_NBYTES`` bytes.
    element_width
        Bytes of an element.
    prediction : shape (nbytes,), uint8, borrowed, or None
        What a predictor made.
    mode
        How hard the encoder tries.
    name
        What the bytes belong to, for a message.

    Returns
    -------
    Coded
        Against the prediction only where that is smaller.

    Raises
    ------
    InvariantError
        Other bytes came back.
    """
    times, at = dict.fromkeys(STAGES, 0.0), time.perf_counter()
    coded, is_delta = encode_smallest(raw, element_width, prediction, mode)
    coded_checksum = checksum(coded.data)
    at = lap(times, "code", at)
    nbytes = len(memoryview(raw))
    if len(scratch.decoded) < nbytes:
        scratch.decoded = bytearray(nbytes)
    decoded = memoryview(scratch.decoded)[:nbytes]
    context = CodecContext(element_width, prediction if is_delta else None)
    try:
        decode_chunk(coded.codec_id, coded.codec_version, coded.parameters, coded.data, context, decoded)
    except CorruptPackError as error:  # no damage: these bytes never left memory
        raise _is_wrong(coded, name, str(error)) from error
    if not equal_bytes(decoded, raw):
        raise _is_wrong(coded, name, "others after decoding")
    lap(times, "read_back", at)
    return Coded(coded, coded_checksum, is_delta, times)


def _is_wrong(coded: CodedChunk, name: str, found: str) -> InvariantError:
    return InvariantError(
        f"codec {coded.codec_id} on {name}",
        expected="the bytes that were coded",
        found=found,
        action="Nothing was stored; please report this with the file.",
    )


def planner_signature() -> int:
    """Tell encoders apart: another number where a chunk may come out smaller than it did.

    Returns
    -------
    int
        XXH3-64 of the codecs that take part, and of this module's own revision.
    """
    codecs = ",".join(f"{codec.codec_id}.{codec.version}" for codec in CODECS)
    return checksum(f"{_REVISION};{codecs}".encode())
