"""The errors that decoders raise, built in one place so that they read alike.

Duty: name the codec, what its layout demands and what was there.
Not its duty: deciding what is damaged; each decoder does.
Invariant: damage of our bytes is an IntegrityError, a newer writer a FormatError, a caller's slip a
UsageError.
"""

from __future__ import annotations

from tensorhub.codecs.base import Buffer
from tensorhub.errors import CorruptPackError, ShapeMismatchError, UnsupportedVersionError


def corrupt_chunk(name: str, expected: str, found: str) -> CorruptPackError:
    """Build the error for coded bytes that break a codec's layout.

    Parameters
    ----------
    name
        Name of the codec or predictor.
    expected, found
        What the layout demands, and what was there.

    Returns
    -------
    CorruptPackError
        To be raised, ``from`` the library's error where there is one.
    """
    return CorruptPackError(
        f"chunk coded with {name}",
        expected=expected,
        found=found,
        action="Run `tensorhub verify`; a chunk can be repaired from any copy of its blob.",
    )


def check_version(name: str, known: int, version: int) -> None:
    """Refuse a layout version that this code does not know.

    Parameters
    ----------
    name
        Name of the codec or predictor.
    known
        The only version so far.
    version
        What the chunk record says.

    Raises
    ------
    UnsupportedVersionError
        They differ.
    """
    if version != known:
        raise UnsupportedVersionError(
            f"version {version} of {name}",
            expected=f"version {known}",
            found=str(version),
            action="A newer TensorHub wrote this chunk; upgrade to read it.",
        )


def check_no_parameters(name: str, parameters: bytes) -> None:
    """Refuse parameters where the layout has none.

    Parameters
    ----------
    name
        Name of the codec or predictor.
    parameters
        From the chunk record.

    Raises
    ------
    CorruptPackError
        There are some.
    """
    if parameters:
        raise corrupt_chunk(name, "no parameters", f"{len(parameters)} bytes of parameters")


def require_prediction(name: str, prediction: Buffer | None, nbytes: int) -> Buffer:
    """Refuse a prediction that is missing or of another length than the chunk.

    Parameters
    ----------
    name
        Name of the codec.
    prediction
        Of the context; None where there is none.
    nbytes
        Length of the chunk.

    Returns
    -------
    Buffer
        The prediction, of ``nbytes`` bytes.

    Raises
    ------
    ShapeMismatchError
        There is none, or it has another length.
    """
    if prediction is None or len(prediction) != nbytes:
        raise ShapeMismatchError(
            f"prediction for {name}",
            expected=f"{nbytes} bytes",
            found="no prediction" if prediction is None else f"{len(prediction)} bytes",
            action="Give the bytes that the chunk's predictor makes.",
        )
    return prediction
