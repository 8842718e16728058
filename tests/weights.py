"""Small synthetic models and the steps that store tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tensorhub import AddResult, Digest, Store, stats, verify
from tensorhub.schema.tensor import ParsedSegment
from tensorhub.store.tensor_source import tensors_source

Array = np.ndarray[Any, np.dtype[Any]]


def weights(shape: tuple[int, ...], seed: int) -> Array:
    """Make BF16 values as a trained layer has them, with a few NaN payloads among them."""
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal(shape, np.float32) * np.float32(0.02)).astype(ml_dtypes.bfloat16)
    bits = values.view(np.uint16).reshape(-1)
    if bits.size >= 64:
        bits[:: bits.size // 4 + 1] = rng.integers(0x7F81, 0x8000, bits[:: bits.size // 4 + 1].size)
    return values


def tuned(original: Array, seed: int, share: float = 0.05) -> Array:
    """Make a near copy: a share of the elements differ in one of the two lowest bits."""
    rng = np.random.default_rng(seed)
    bits = original.view(np.uint16).copy()
    mask = rng.random(bits.shape) < share
    bits[mask] ^= rng.integers(1, 3, int(mask.sum()), np.uint16)
    return bits.view(ml_dtypes.bfloat16)


def noise(nbytes: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(nbytes)


def safetensors(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """Lay tensors out as a safetensors file."""
    source = tensors_source("model.safetensors", tensors, metadata)
    out = bytearray(source.nbytes)
    source.read_into(0, out)
    return bytes(out)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder, which is made."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    folder.mkdir(exist_ok=True)
    return folder


def put(
    store: Store, repository: str, files: Mapping[str, bytes], *, revision: str = "main", keep: bool = False
) -> AddResult:
    """Make files the tree of a revision; with ``keep``, lay them over its tree."""
    with store.begin_commit(repository, revision=revision, workers=2) as transaction:
        if not keep:
            transaction.delete_all()
        for path, content in files.items():
            transaction.put_file(path, content)
        return transaction.publish("put")


def read_all(store: Store, repository: str, revision: str | None = None) -> dict[str, bytes]:
    """Read every file of a snapshot."""
    return {
        info.path: store.read(repository, info.path, revision=revision)
        for info in store.files(repository, revision)
    }


def assert_identity(store: Store) -> None:
    """Check that what is told to be saved adds up to the byte."""
    found = stats(store)
    saved = found.saved
    assert (
        saved.identical_files + saved.identical_tensors + saved.delta + saved.standalone - saved.overhead
        == found.nbytes - found.stored_nbytes
    )
    parts = (
        found.packs_nbytes,
        found.catalog_nbytes,
        found.refs_nbytes,
        found.state_nbytes,
        found.other_nbytes,
    )
    assert sum(parts) == found.stored_nbytes


def assert_sound(store: Store) -> None:
    """Check every byte of a store, and its sums."""
    assert verify(store, workers=2).damages == ()
    assert_identity(store)


def depth_of(store: Store, digest: Digest) -> int:
    """Count the bases that have to be decoded before a blob can be."""
    sources = store.reader.record(digest).source_digests()
    return 1 + max(depth_of(store, source) for source in sources) if sources else 0


def max_depth(store: Store) -> int:
    """Give the deepest delta of any tensor that some ref names directly."""
    return max(
        (
            depth_of(store, tensor.digest)
            for info in store.repositories()
            for ref in info.refs
            for tensor in store.tensors(info.repo_id, ref.name)
        ),
        default=0,
    )


def whole(nbytes: int) -> ParsedSegment:
    """One segment of plain bytes that covers a source."""
    return ParsedSegment(0, nbytes)
