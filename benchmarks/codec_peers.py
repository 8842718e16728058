"""Every codec that is measured chunk by chunk: TensorHub's modes and the peers, behind one small interface.

Duty: call each as its own documentation says, one thread, for one element type. Not its duty: timing and
checking (``codecs``), and whole folders (``peers``).
Invariants: where a data set has predictions, a peer codes the XOR with them and its time includes that; a
peer that cannot be imported raises ImportError when it is made.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import zstandard

from benchmarks.peers import import_zipnn
from benchmarks.weight_data import Bytes, Chunk, DataSet
from tensorhub.codecs.base import CodecContext, CodedChunk
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk, encode_chunk
from tensorhub.codecs.registry import codec_for_record

Coded = Any  # what an encoder gave; only its own decoder looks inside


class Coder(ABC):
    """Codes chunks of one data set at a time."""

    name: str
    # Whether tensors' borders mean nothing to it, so that it may be given full pieces of 1 MiB instead.
    may_join: ClassVar[bool] = True

    def __init__(self) -> None:
        self.width = 1

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:
        """Get ready to encode each of the chunks once, in order; nobody times this."""
        self.width = data.element_width

    @abstractmethod
    def encode(self, chunk: Chunk) -> Coded:
        """Code a chunk."""

    @abstractmethod
    def decode(self, coded: Coded, chunk: Chunk, out: Bytes) -> Any:
        """Give the chunk's bytes back: in ``out`` where the API can, or else in memory of its own."""

    def coded_nbytes(self, coded: Coded) -> int:
        """Bytes that would lie on disk."""
        return len(coded)

    def describe(self, coded: Sequence[Coded]) -> dict[str, Any]:
        """Say more about what was coded, for the record."""
        return {}


class TensorHub(Coder):
    """The planner in one mode, as a store calls it."""

    may_join = False

    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self.name = f"tensorhub {mode.value}"
        self._mode = mode

    def encode(self, chunk: Chunk) -> CodedChunk:  # noqa: D102 - docstring inherited
        return encode_chunk(chunk.target, CodecContext(self.width, chunk.prediction), self._mode)

    def decode(self, coded: CodedChunk, chunk: Chunk, out: Bytes) -> Bytes:  # noqa: D102 - docstring inherited
        context = CodecContext(self.width, chunk.prediction)
        decode_chunk(coded.codec_id, coded.codec_version, coded.parameters, coded.data, context, out.data)
        return out

    def coded_nbytes(self, coded: CodedChunk) -> int:  # noqa: D102 - docstring inherited
        return coded.nbytes

    def describe(self, coded: Sequence[CodedChunk]) -> dict[str, Any]:
        """Count which codecs the planner picked."""
        picked = Counter(codec_for_record(item.codec_id, item.codec_version).name for item in coded)
        return {"picked": dict(picked.most_common())}


class Peer(Coder):
    """A codec that knows no predictions: it gets the XOR with them."""

    def __init__(self) -> None:
        super().__init__()
        self._scratch = bytearray()

    def encode(self, chunk: Chunk) -> Coded:  # noqa: D102 - docstring inherited
        return self.compress(chunk.target if chunk.prediction is None else self._xor(chunk))

    def decode(self, coded: Coded, chunk: Chunk, out: Bytes) -> Any:  # noqa: D102 - docstring inherited
        found = self.decompress(coded, out)
        if chunk.prediction is None:
            return found
        residual = np.frombuffer(found, np.uint8)
        return np.bitwise_xor(residual, np.frombuffer(chunk.prediction, np.uint8), out=out)

    def _xor(self, chunk: Chunk) -> memoryview:
        assert chunk.prediction is not None
        nbytes = len(chunk.target)
        if len(self._scratch) < nbytes:
            self._scratch = bytearray(nbytes)
        view = memoryview(self._scratch)[:nbytes]
        np.bitwise_xor(
            np.frombuffer(chunk.target, np.uint8),
            np.frombuffer(chunk.prediction, np.uint8),
            out=np.frombuffer(view, np.uint8),
        )
        return view

    @abstractmethod
    def compress(self, source: memoryview) -> Coded:
        """Code bytes."""

    @abstractmethod
    def decompress(self, coded: Coded, out: Bytes) -> Any:
        """Decode into ``out``, or into memory of the API's own."""


class Memcpy(Coder):
    """The limit: copies to warm memory, by slice assignment of memoryviews, which is libc's memcpy."""

    name = "memcpy"

    def __init__(self) -> None:
        super().__init__()
        self._kept = memoryview(b"")
        self._at = 0

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:  # noqa: D102 - docstring inherited
        super().prepare(data, chunks)
        if len(self._kept) < data.nbytes:
            self._kept = memoryview(bytearray(b"\1") * data.nbytes)
        self._at = 0

    def encode(self, chunk: Chunk) -> memoryview:  # noqa: D102 - docstring inherited
        end = self._at + len(chunk.target)
        kept = self._kept[self._at : end]
        kept[:] = chunk.target
        self._at = end
        return kept

    def decode(self, coded: memoryview, chunk: Chunk, out: Bytes) -> Bytes:  # noqa: D102
        out.data[:] = coded
        return out


class Zstd(Peer):
    """Zstandard, through the ``zstandard`` package; decodes to memory of its own, not slower than into ours."""

    def __init__(self, level: int, name: str) -> None:
        super().__init__()
        self.name = name
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._decompressor = zstandard.ZstdDecompressor()

    def compress(self, source: memoryview) -> bytes:  # noqa: D102 - docstring inherited
        return self._compressor.compress(source)

    def decompress(self, coded: bytes, out: Bytes) -> bytes:  # noqa: D102 - docstring inherited
        return self._decompressor.decompress(coded)


class Recipe(Peer):
    """XOR, byte planes by NumPy, zstd level 1: what one writes in an hour."""

    name = "recipe"

    def __init__(self) -> None:
        super().__init__()
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._decompressor = zstandard.ZstdDecompressor()

    def compress(self, source: memoryview) -> bytes:  # noqa: D102 - docstring inherited
        planes = np.ascontiguousarray(np.frombuffer(source, np.uint8).reshape(-1, self.width).T)
        return self._compressor.compress(planes.data)

    def decompress(self, coded: bytes, out: Bytes) -> Bytes:  # noqa: D102 - docstring inherited
        planes = np.frombuffer(self._decompressor.decompress(coded), np.uint8)
        out.reshape(-1, self.width)[:] = planes.reshape(self.width, -1).T
        return out


class Lz4(Peer):
    """LZ4 blocks."""

    name = "lz4"

    def __init__(self) -> None:
        super().__init__()
        self._module = importlib.import_module("lz4.block")

    def compress(self, source: memoryview) -> bytes:  # noqa: D102 - docstring inherited
        return bytes(self._module.compress(source))

    def decompress(self, coded: bytes, out: Bytes) -> Any:  # noqa: D102 - docstring inherited
        return self._module.decompress(coded)


class Blosc2(Peer):
    """C-Blosc2 with one filter and one codec; decodes into the caller's buffer."""

    def __init__(self, shuffle: str, codec: str, level: int) -> None:
        super().__init__()
        self.name = f"blosc2-{shuffle}-{codec}"
        self._module = importlib.import_module("blosc2")
        self._shuffle = self._module.Filter[shuffle.upper()]
        self._codec, self._level = self._module.Codec[codec.upper()], level
        self._decoding = self._module.DParams(nthreads=1)
        self._coding: Any = None

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:  # noqa: D102 - docstring inherited
        super().prepare(data, chunks)
        self._coding = self._module.CParams(
            typesize=self.width,
            nthreads=1,
            filters=[self._shuffle],
            filters_meta=[0],
            codec=self._codec,
            clevel=self._level,
        )

    def compress(self, source: memoryview) -> Coded:  # noqa: D102 - docstring inherited
        return self._module.compress2(source, cparams=self._coding)

    def decompress(self, coded: Coded, out: Bytes) -> Bytes:  # noqa: D102 - docstring inherited
        self._module.decompress2(coded, dst=out, dparams=self._decoding)
        return out


class ZipNN(Peer):
    """ZipNN on bytes, told the element type; other types are coded as floats of their width.

    It rewrites its input for BF16, so it gets a copy that was made before the clock started.
    """

    name = "zipnn"
    _TYPES: ClassVar = {"BF16": "bfloat16", "F16": "float16"}
    _BY_WIDTH: ClassVar = {1: "float8_e4m3fn", 2: "bfloat16", 4: "float32", 8: "float32"}

    def __init__(self) -> None:
        super().__init__()
        self._module = import_zipnn()
        self._coder: Any = None
        self._copies: list[bytearray] = []

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:  # noqa: D102 - docstring inherited
        super().prepare(data, chunks)
        name = self._TYPES.get(data.dtype, self._BY_WIDTH[self.width])
        self._coder = self._module.ZipNN(input_format="byte", bytearray_dtype=name, threads=1)
        # Deltas are XORed into the scratch buffer, which it may rewrite.
        self._copies = [] if data.is_delta else [bytearray(chunk.target) for chunk in reversed(chunks)]

    def compress(self, source: memoryview) -> Coded:  # noqa: D102 - docstring inherited
        return self._coder.compress(self._copies.pop() if self._copies else source)

    def decompress(self, coded: Coded, out: Bytes) -> Any:  # noqa: D102 - docstring inherited
        return self._coder.decompress(coded)


class Pcodec(Peer):
    """Pcodec at its default level, told the element type that gives it the best ratio."""

    name = "pcodec"
    # Told that BF16 is FP16, it codes 0.1 % smaller than when told that it is 16-bit integers.
    _TYPES: ClassVar = {"BF16": "<f2", "F16": "<f2", "F32": "<f4", "I64": "<i8", "I32": "<i4", "BOOL": "u1"}

    def __init__(self) -> None:
        super().__init__()
        module = importlib.import_module("pcodec")
        self._module = importlib.import_module("pcodec.standalone")
        self._config = module.ChunkConfig(enable_8_bit=True)
        self._dtype = np.dtype("u1")

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:  # noqa: D102 - docstring inherited
        super().prepare(data, chunks)
        self._dtype = np.dtype(f"<u{self.width}" if data.is_delta else self._TYPES.get(data.dtype, "i1"))

    def compress(self, source: memoryview) -> bytes:  # noqa: D102 - docstring inherited
        return bytes(self._module.simple_compress(np.frombuffer(source, self._dtype), self._config))

    def decompress(self, coded: bytes, out: Bytes) -> Bytes:  # noqa: D102 - docstring inherited
        self._module.simple_decompress_into(coded, out.view(self._dtype))
        return out


class OpenZL(Peer):
    """OpenZL with a graph built for the element type: by FSE for the ratio, or by Huffman for speed."""

    def __init__(self, entropy: str) -> None:
        super().__init__()
        self.name = "openzl" if entropy == "Fse" else f"openzl-{entropy.lower()}"
        self._entropy = entropy
        self._ext = importlib.import_module("openzl.ext")
        self._decoder = self._ext.DCtx()
        self._encoder: Any = None

    def prepare(self, data: DataSet, chunks: Sequence[Chunk]) -> None:  # noqa: D102 - docstring inherited
        super().prepare(data, chunks)
        ext = self._ext
        compressor = ext.Compressor()
        compressor.select_starting_graph(self._graph(data, compressor))
        self._encoder = ext.CCtx()
        self._encoder.ref_compressor(compressor)
        self._encoder.set_parameter(ext.CParam.StickyParameters, 1)
        self._encoder.set_parameter(ext.CParam.FormatVersion, ext.MAX_FORMAT_VERSION)

    def _graph(self, data: DataSet, compressor: Any) -> Any:
        # The best of what its nodes offer, measured on this data. Its own FP16 node gives a ratio of 1.000;
        # its FP32 node a better ratio than byte planes, at a fifth of their decoding speed.
        graphs, nodes = self._ext.graphs, self._ext.nodes

        def planes(successor: Any) -> Any:
            return nodes.ConvertNumToStructLE()(compressor, nodes.TransposeSplit()(compressor, successor))

        entropy = getattr(graphs, self._entropy)()(compressor)
        if data.dtype == "I64":
            return nodes.DeltaInt()(compressor, graphs.FieldLz()(compressor))
        if data.dtype == "BF16" and not data.is_delta:
            return nodes.BFloat16Deconstruct()(compressor, graphs.Store()(compressor), entropy)
        if data.dtype == "F32" and not data.is_delta and self._entropy == "Fse":
            split = nodes.TransposeSplit()(compressor, entropy)
            return nodes.Float32Deconstruct()(compressor, split, entropy)
        if data.dtype in ("F16", "F8_E4M3") and self._entropy == "Fse":
            return planes(graphs.Compress()(compressor))
        return planes(entropy)

    def compress(self, source: memoryview) -> bytes:  # noqa: D102 - docstring inherited
        numbers = np.frombuffer(source, f"<u{self.width}")
        return bytes(self._encoder.compress([self._ext.Input(self._ext.Type.Numeric, numbers)]))

    def decompress(self, coded: bytes, out: Bytes) -> Any:  # noqa: D102 - docstring inherited
        return self._decoder.decompress(coded)[0].content.as_nparray()


CODERS: dict[str, Callable[[], Coder]] = {
    **{f"tensorhub {mode.value}": lambda mode=mode: TensorHub(mode) for mode in Mode},  # type: ignore[misc]
    "zstd": lambda: Zstd(3, "zstd"),
    "zstd-1": lambda: Zstd(1, "zstd-1"),
    "zipnn": ZipNN,
    "openzl": lambda: OpenZL("Fse"),
    "openzl-huffman": lambda: OpenZL("Huffman"),
    "blosc2-bitshuffle-lz4": lambda: Blosc2("bitshuffle", "lz4", 5),
    "blosc2-shuffle-zstd": lambda: Blosc2("shuffle", "zstd", 1),
    "lz4": Lz4,
    "recipe": Recipe,
    "pcodec": Pcodec,
    "memcpy": Memcpy,
}
