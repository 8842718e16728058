"""What others make of the same folder: zstd of a tar, ZipNN, content-defined chunks with zstd.

Duty: coded sizes in bytes, each with the round trip that makes it believable where it is cheap.
Not its duty: speed; ``throughput`` times ``cp`` and zstd. Chunk indexes and file names of the peers count as
nothing, to their favour.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import tarfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from benchmarks.store_folder import file_paths

# ZipNN is told one element type per file; each is tried and the smallest counts.
_ZIPNN_TYPES = ("bfloat16", "float16", "float32")
_MIN_CHUNK_NBYTES, _MAX_CHUNK_NBYTES = 16 << 10, 256 << 10
_BOUNDARY_BITS = 16  # a boundary every 64 KiB on average


def tar_zstd(folder: Path) -> dict[str, Any]:
    """Measure ``tar | zstd -3``: one stream, one thread."""
    out = io.BytesIO()
    with (
        zstandard.ZstdCompressor(level=3).stream_writer(out, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20) as archive,
    ):
        archive.add(folder, folder.name)
    return {"nbytes": len(out.getvalue())}


def zipnn(folder: Path) -> dict[str, Any]:
    """Measure ZipNN per distinct safetensors file, and zstd level 3 per distinct other file.

    Raises
    ------
    ImportError
        ZipNN is not installed.
    """
    module = import_zipnn()
    total = 0
    seen: set[bytes] = set()
    for path in file_paths(folder):
        content = path.read_bytes()
        if content in seen:
            continue
        seen.add(content)
        if path.suffix != ".safetensors":
            total += min(len(zstandard.ZstdCompressor(level=3).compress(content)), len(content))
            continue
        sizes = []
        for name in _ZIPNN_TYPES:
            coder = module.ZipNN(input_format="byte", bytearray_dtype=name, threads=1)
            coded = bytes(coder.compress(bytearray(content)))  # a copy: it rewrites its input
            decoder = module.ZipNN(input_format="byte", bytearray_dtype=name, threads=1)
            if bytes(decoder.decompress(coded)) != content:
                raise RuntimeError(f"ZipNN as {name} does not give {path.name} back")
            sizes.append(len(coded))
        total += min(sizes)
    version = importlib.import_module("importlib.metadata").version("zipnn")
    return {"nbytes": total, "version": version}


def import_zipnn() -> Any:
    """Import ZipNN; where torch is missing, put empty names in its place, which bytes do not need."""
    try:
        importlib.import_module("torch")
    except ImportError:

        class Names(types.ModuleType):
            def __getattr__(self, name: str) -> Any:
                if name.startswith("__"):
                    raise AttributeError(name)
                return type(name, (), {})

        torch = Names("torch")
        torch.jit = types.SimpleNamespace(script=lambda function: function)  # type: ignore[attr-defined]
        sys.modules["torch"] = torch
        sys.modules["safetensors.torch"] = Names("safetensors.torch")
    return importlib.import_module("zipnn")


def chunks_zstd(folder: Path) -> dict[str, Any]:
    """Measure 64 KiB content-defined chunks: each distinct chunk once, by zstd level 3."""
    coder = zstandard.ZstdCompressor(level=3)
    seen: set[bytes] = set()
    total = count = distinct_nbytes = all_nbytes = 0
    for path in file_paths(folder):
        content = path.read_bytes()
        start = 0
        for stop in cut_chunks(content):
            chunk = content[start:stop]
            start = stop
            count, all_nbytes = count + 1, all_nbytes + len(chunk)
            digest = hashlib.blake2b(chunk, digest_size=32).digest()
            if digest not in seen:
                seen.add(digest)
                distinct_nbytes += len(chunk)
                total += min(len(coder.compress(chunk)), len(chunk))
    return {
        "nbytes": total,
        "chunks": count,
        "mean_chunk_nbytes": all_nbytes // max(count, 1),
        "deduplicated_nbytes": distinct_nbytes,
    }


def cut_chunks(content: bytes) -> list[int]:
    """Cut bytes by a Gear hash over 64 bytes; gives the end of each chunk.

    References
    ----------
    W. Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication",
    USENIX ATC 2016, section 3.1 (Gear); the mask is not normalized here.
    """
    if not content:
        return []
    gear = np.random.Generator(np.random.SFC64(1)).integers(0, 1 << 64, 256, np.uint64)
    hashes: NDArray[np.uint64] = gear[np.frombuffer(content, np.uint8)]
    for log_span in range(6):  # spans of 1, 2, 4 … 64 bytes: h(2k)[i] = h(k)[i] + (h(k)[i - k] << k)
        span = 1 << log_span
        hashes[span:] += hashes[:-span] << np.uint64(span)
    boundaries = np.flatnonzero(hashes >> np.uint64(64 - _BOUNDARY_BITS) == 0) + 1
    ends: list[int] = []
    start = 0
    while start < len(content):
        at = np.searchsorted(boundaries, start + _MIN_CHUNK_NBYTES)
        found = int(boundaries[at]) if at < len(boundaries) else len(content)
        start = min(found, start + _MAX_CHUNK_NBYTES, len(content))
        ends.append(start)
    return ends


PEERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "tar, zstd -3": tar_zstd,
    "ZipNN per file": zipnn,
    "64 KiB chunks, zstd -3": chunks_zstd,
}


def measure_peers(folder: Path) -> dict[str, dict[str, Any]]:
    """Measure all peers; one that is not installed says so."""
    found: dict[str, dict[str, Any]] = {}
    for name, measure in PEERS.items():
        started = time.perf_counter()
        try:
            found[name] = measure(folder)
        except ImportError as error:
            found[name] = {"nbytes": None, "missing": str(error)}
            continue
        found[name]["seconds"] = round(time.perf_counter() - started, 1)
    return found
