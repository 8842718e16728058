"""The table of codecs and predictors.

Duty: find them by the id that stands in records, or by the name that a caller gives.
Not its duty: choosing between them (``planner``).
Invariants: ids are on disk and never reused; adding one is one line here and one file beside it.

==  ===============  ======================================
id  codec            for
==  ===============  ======================================
0   raw              what nothing makes smaller
1   zstd             text, tables, whatever repeats
2   planes_zstd      tables that repeat by plane, in mode max
3   xor_planes_zstd  weights with a base; no longer written
4   planes           weights without a base
5   joint            floats without a base, smallest
6   ulp_delta        weights with a base, smallest
7   ulp_delta_fast   weights with a base
==  ===============  ======================================

==  =========  ============================================
id  predictor  predicts
==  =========  ============================================
0   none       nothing
1   base       the bytes of one base at an offset
==  =========  ============================================
"""

from __future__ import annotations

from tensorhub.codecs.base import Predictor, ResidualCodec
from tensorhub.codecs.base_predictor import BasePredictor
from tensorhub.codecs.joint import JointCodec
from tensorhub.codecs.none_predictor import NonePredictor
from tensorhub.codecs.planes import PlanesCodec
from tensorhub.codecs.planes_zstd import PlanesZstdCodec
from tensorhub.codecs.raw import RawCodec
from tensorhub.codecs.ulp_delta import UlpDeltaCodec
from tensorhub.codecs.ulp_delta_fast import UlpDeltaFastCodec
from tensorhub.codecs.xor_planes_zstd import XorPlanesZstdCodec
from tensorhub.codecs.zstd import ZstdCodec
from tensorhub.errors import UnknownCodecError, UnsupportedVersionError

RAW = RawCodec()
NONE = NonePredictor()
BASE = BasePredictor()

ZSTD = ZstdCodec()
PLANES_ZSTD = PlanesZstdCodec()
PLANES = PlanesCodec()
JOINT = JointCodec()
ULP_DELTA = UlpDeltaCodec()
ULP_DELTA_FAST = UlpDeltaFastCodec()

CODECS: tuple[ResidualCodec, ...] = (
    RAW,
    ZSTD,
    PLANES_ZSTD,
    XorPlanesZstdCodec(),
    PLANES,
    JOINT,
    ULP_DELTA,
    ULP_DELTA_FAST,
)
PREDICTORS: tuple[Predictor, ...] = (NONE, BASE)

_CODEC_BY_ID = {codec.codec_id: codec for codec in CODECS}
_CODEC_BY_NAME = {codec.name: codec for codec in CODECS}
_PREDICTOR_BY_ID = {predictor.predictor_id: predictor for predictor in PREDICTORS}
_PREDICTOR_BY_NAME = {predictor.name: predictor for predictor in PREDICTORS}


def codec_by_name(name: str) -> ResidualCodec:
    """Find a codec that a caller asks for.

    Parameters
    ----------
    name
        Say ``"planes_zstd"``.

    Returns
    -------
    ResidualCodec
        Stateless; shared by all threads.

    Raises
    ------
    UnknownCodecError
        There is none of this name.
    """
    codec = _CODEC_BY_NAME.get(name)
    if codec is None:
        raise _unknown("codec", name, sorted(_CODEC_BY_NAME))
    return codec


def predictor_by_name(name: str) -> Predictor:
    """Find a predictor that a caller asks for.

    Parameters
    ----------
    name
        Say ``"base"``.

    Returns
    -------
    Predictor
        Stateless; shared by all threads.

    Raises
    ------
    UnknownCodecError
        There is none of this name.
    """
    predictor = _PREDICTOR_BY_NAME.get(name)
    if predictor is None:
        raise _unknown("predictor", name, sorted(_PREDICTOR_BY_NAME))
    return predictor


def codec_for_record(codec_id: int, version: int) -> ResidualCodec:
    """Find the codec that a chunk record names.

    Parameters
    ----------
    codec_id, version
        From the record.

    Returns
    -------
    ResidualCodec
        One that can decode this version.

    Raises
    ------
    UnsupportedVersionError
        The id or the version is not known here.
    """
    codec = _CODEC_BY_ID.get(codec_id)
    if codec is None or not 1 <= version <= codec.version:
        raise _too_new("codec", codec_id, version)
    return codec


def predictor_for_record(predictor_id: int, version: int) -> Predictor:
    """Find the predictor that a chunk record names.

    Parameters
    ----------
    predictor_id, version
        From the record.

    Returns
    -------
    Predictor
        One that can make this version's prediction.

    Raises
    ------
    UnsupportedVersionError
        The id or the version is not known here.
    """
    predictor = _PREDICTOR_BY_ID.get(predictor_id)
    if predictor is None or not 1 <= version <= predictor.version:
        raise _too_new("predictor", predictor_id, version)
    return predictor


def _unknown(kind: str, name: str, known: list[str]) -> UnknownCodecError:
    return UnknownCodecError(
        f"{kind} {name!r}", expected=f"one of {', '.join(known)}", found=name, action="Check the spelling."
    )


def _too_new(kind: str, number: int, version: int) -> UnsupportedVersionError:
    return UnsupportedVersionError(
        f"chunk with {kind} {number}, version {version}",
        expected=f"a {kind} that this TensorHub knows",
        found=f"{kind} {number}, version {version}",
        action="A newer TensorHub wrote this chunk; upgrade to read it.",
    )
