"""Conformance suites for residual codecs and predictors.

Duty: prove that an implementation keeps the contract of ``tensorhub.codecs.base``.
Not its duty: ratios and speed; a codec that keeps bytes raw conforms.
Invariants: needs pytest only as its runner; asserts are the point here.

Subclass in a test file and name what is tested::

    class TestMyCodec(ResidualCodecSuite):
        codec = MyCodec()
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar

from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, Predictor, ResidualCodec
from tensorhub.errors import (
    CorruptPackError,
    FormatError,
    IntegrityError,
    ShapeMismatchError,
    UnsupportedVersionError,
)
from tensorhub.testing.weights import WeightSample, near_copy, weight_samples

_GUARD = b"\xa5" * 16  # around the output, so that a write outside is seen


def _raises(kinds: type[Exception] | tuple[type[Exception], ...], call: object, *arguments: object) -> None:
    try:
        call(*arguments)  # type: ignore[operator]
    except kinds:
        return
    raise AssertionError(f"expected {kinds}, nothing was raised")


class ResidualCodecSuite:
    """What every residual codec must do.

    Attributes
    ----------
    codec
        The codec under test; set by the subclass.
    hostile_nbytes
        Raw length of the chunks whose coded bytes are cut and flipped at every place.
    """

    codec: ClassVar[ResidualCodec]
    hostile_nbytes: ClassVar[int] = 240

    def context(self, sample: WeightSample, prediction: bytes | None = None) -> CodecContext:
        """Make the context in which a sample is coded.

        Parameters
        ----------
        sample
            The chunk.
        prediction
            Overrides the default, a near copy of the chunk.

        Returns
        -------
        CodecContext
            With a prediction only where the codec needs one.
        """
        if not self.codec.needs_prediction:
            return CodecContext(sample.element_width)
        return CodecContext(
            sample.element_width, near_copy(sample.data) if prediction is None else prediction
        )

    def decode(
        self, coded: CodedChunk, context: CodecContext, nbytes: int, data: Buffer | None = None
    ) -> bytes:
        """Decode into guarded memory and check that nothing around it was written.

        Parameters
        ----------
        coded
            Codec version, parameters and, by default, the data.
        context
            As for encoding.
        nbytes
            Decoded length.
        data
            Coded bytes instead of the chunk's own.

        Returns
        -------
        bytes
            The decoded bytes.
        """
        memory = bytearray(_GUARD + b"\x5a" * nbytes + _GUARD)
        out = memoryview(memory)[len(_GUARD) : len(_GUARD) + nbytes]
        try:
            self.codec.decode(
                coded.data if data is None else data, context, coded.codec_version, coded.parameters, out
            )
        finally:
            assert memory[: len(_GUARD)] == _GUARD
            assert memory[len(_GUARD) + nbytes :] == _GUARD
        return bytes(out)

    def small_samples(self) -> list[WeightSample]:
        """Cut the samples to a length at which every coded byte can be attacked.

        Returns
        -------
        list of WeightSample
            Of at most ``hostile_nbytes`` bytes.
        """
        wanted = {"bf16", "f32", "f32 mostly zero", "zeros", "text", "f8_e4m3"}
        return [
            WeightSample(sample.name, sample.data[: self.hostile_nbytes], sample.element_width)
            for sample in weight_samples()
            if sample.name in wanted
        ]

    def coded_small_samples(self) -> list[tuple[WeightSample, CodecContext, CodedChunk]]:
        """Code the small samples.

        Returns
        -------
        list of tuple
            Those that the codec did not decline.
        """
        chunks = []
        for sample in self.small_samples():
            context = self.context(sample)
            coded = self.codec.encode(sample.data, context)
            if coded is not None:
                chunks.append((sample, context, coded))
        return chunks

    def test_round_trip(self) -> None:
        """Every buffer comes back, and the coded chunk names its codec."""
        for sample in weight_samples():
            predictions = [near_copy(sample.data), sample.data, bytes(len(sample.data))]
            for prediction in predictions if self.codec.needs_prediction else [None]:
                context = self.context(sample, prediction)
                coded = self.codec.encode(sample.data, context)
                if coded is None:
                    continue
                assert (coded.codec_id, coded.codec_version) == (self.codec.codec_id, self.codec.version)
                assert self.decode(coded, context, len(sample.data)) == sample.data, sample.name

    def test_buffer_kinds(self) -> None:
        """Bytes, bytearrays and memoryviews are coded alike, from any offset; inputs stay as they were."""
        for sample in weight_samples(500):
            context = self.context(sample)
            expected = self.codec.encode(sample.data, context)
            shifted = memoryview(b"\0" + sample.data)[1:]
            for target in (bytearray(sample.data), memoryview(sample.data), shifted):
                assert self.codec.encode(target, context) == expected, sample.name
                assert bytes(target) == sample.data
            if expected is not None:
                assert (
                    self.decode(expected, context, len(sample.data), memoryview(expected.data)) == sample.data
                )

    def test_truncation_is_detected(self) -> None:
        """Coded bytes that are cut anywhere, or followed by more, are refused as damage."""
        for sample, context, coded in self.coded_small_samples():
            cuts = [coded.data[:n] for n in range(len(coded.data))]
            for data in [*cuts, coded.data + b"\0", coded.data + coded.data]:
                _raises(IntegrityError, self.decode, coded, context, len(sample.data), data)

    def test_bit_flips_do_no_harm(self) -> None:
        """A flipped bit is refused, or decodes to other bytes of the same length; nothing else happens."""
        for sample, context, coded in self.coded_small_samples():
            for position in range(8 * len(coded.data)):
                data = bytearray(coded.data)
                data[position // 8] ^= 1 << position % 8
                with suppress(IntegrityError, FormatError):
                    assert len(self.decode(coded, context, len(sample.data), data)) == len(sample.data)

    def test_wrong_output_size_is_refused(self) -> None:
        """A decoded length other than the encoded one is damage (or, with a prediction, a mismatch)."""
        for sample, context, coded in self.coded_small_samples():
            for nbytes in {0, 1, len(sample.data) - 1, len(sample.data) + 1, 2 * len(sample.data)}:
                refusals = (CorruptPackError, ShapeMismatchError)
                _raises(refusals, self.decode, coded, context, nbytes)
                if context.prediction is not None:
                    fitting = CodecContext(context.element_width, bytes(nbytes))
                    _raises(CorruptPackError, self.decode, coded, fitting, nbytes)

    def test_unknown_versions_and_parameters_are_refused(self) -> None:
        """A newer version is named as such; parameters that the layout does not have are damage."""
        for sample, context, coded in self.coded_small_samples():
            newer = CodedChunk(coded.codec_id, self.codec.version + 1, coded.parameters, coded.data)
            _raises(UnsupportedVersionError, self.decode, newer, context, len(sample.data))
            extended = CodedChunk(
                coded.codec_id, coded.codec_version, coded.parameters + b"\xff" * 9, coded.data
            )
            _raises(CorruptPackError, self.decode, extended, context, len(sample.data))

    def test_prediction_is_checked(self) -> None:
        """A codec that needs a prediction refuses none, and one of another length."""
        if not self.codec.needs_prediction:
            return
        for sample, _, coded in self.coded_small_samples():
            for prediction in (None, sample.data[:-1], sample.data + b"\0"):
                wrong = CodecContext(sample.element_width, prediction)
                _raises(ShapeMismatchError, self.codec.encode, sample.data, wrong)
                _raises(ShapeMismatchError, self.decode, coded, wrong, len(sample.data))

    def test_threads_do_not_disturb_each_other(self) -> None:
        """One codec object serves four threads with different chunks."""

        def work(seed: int) -> None:
            for sample in weight_samples(2000):
                mine = WeightSample(sample.name, near_copy(sample.data, 0.3, seed), sample.element_width)
                context = self.context(mine)
                coded = self.codec.encode(mine.data, context)
                if coded is not None:
                    assert self.decode(coded, context, len(mine.data)) == mine.data

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))


class PredictorSuite:
    """What every predictor must do.

    Attributes
    ----------
    predictor
        The predictor under test; set by the subclass.
    """

    predictor: ClassVar[Predictor]

    def sources(self, nbytes: int) -> Sequence[Buffer]:
        """Make sources that fit a chunk; override where they are not of the chunk's length.

        Parameters
        ----------
        nbytes
            Length of the chunk.

        Returns
        -------
        sequence of bytes
            ``source_count`` of them.
        """
        return [near_copy(bytes(range(256)) * (nbytes // 256 + 1))[:nbytes]] * self.predictor.source_count

    def test_prediction_has_the_length_of_the_chunk(self) -> None:
        """The prediction is None or exactly as long as the chunk, the same each time; sources stay."""
        for nbytes in (0, 1, 2, 255, 4096):
            sources = self.sources(nbytes)
            before = [bytes(source) for source in sources]
            first = self.predictor.predict(sources, nbytes, self.predictor.version, b"")
            second = self.predictor.predict(sources, nbytes, self.predictor.version, b"")
            assert [bytes(source) for source in sources] == before
            if first is None or second is None:
                assert first is None
                assert second is None
            else:
                assert len(first) == nbytes
                assert bytes(first) == bytes(second)

    def test_wrong_source_count_is_refused(self) -> None:
        """Fewer or more sources than ``source_count`` are damage."""
        sources, version = list(self.sources(16)), self.predictor.version
        _raises(CorruptPackError, self.predictor.predict, [*sources, bytes(16)], 16, version, b"")
        if sources:
            _raises(CorruptPackError, self.predictor.predict, sources[:-1], 16, version, b"")

    def test_newer_version_is_refused(self) -> None:
        """A newer version is named as such."""
        newer = self.predictor.version + 1
        _raises(UnsupportedVersionError, self.predictor.predict, self.sources(16), 16, newer, b"")
