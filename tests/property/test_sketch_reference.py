"""The compiled kernels equal their plain definitions."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub._native import sketch_features, sketch_nearest, sketch_positions, sketch_signature
from tensorhub.lineage.placement import reference_positions

widths = st.sampled_from([1, 2, 4, 8])
counts = st.integers(0, 70) | st.integers(0, 1 << 20) | st.integers(0, 1 << 31)


@settings(max_examples=60, deadline=None)
@given(nrows=counts | st.integers((1 << 32) - 3, 1 << 61), row_nelems=counts, width=widths)
def test_positions(nrows, row_nelems, width):
    row_nelems = min(row_nelems, ((1 << 63) - 1) // max(nrows, 1))
    nbuckets = 512 // width
    assert sketch_positions(nrows, row_nelems, nbuckets).tolist() == reference_positions(
        nrows, row_nelems, nbuckets
    )


@settings(max_examples=30, deadline=None)
@given(nrows=st.integers(1, 1 << 40), more=st.integers(0, 1 << 40))
def test_a_row_moves_only_to_new_rows(nrows, more):
    """The jump hash's promise: growing a tensor moves a sample only into the rows that came."""
    old, new = (np.array(reference_positions(count, 1, 64)) for count in (nrows, nrows + more))
    assert ((old == new) | (new >= nrows)).all()


def random_bytes(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    width=widths,
    blocks=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    keep=st.integers(1, 50),
    coarse=st.integers(1, 200),
)
def test_nearest(seed, width, blocks, keep, coarse):
    """Distances are exact, answers sorted; without a cut by signature they are the nearest of all."""
    sketches = [random_bytes(seed + i, nrows, 512) for i, nrows in enumerate(blocks)]
    signatures = [np.stack([sketch_signature(row, width) for row in block]) for block in sketches]
    query, mask = random_bytes(seed + 9, 512), random_bytes(seed + 10, 512) % 2 * np.uint8(255)
    total = sum(blocks)
    count = int(np.random.default_rng(seed).integers(1, total + 1))
    exact = np.bitwise_count((np.concatenate(sketches)[:count] ^ query) & mask).sum(axis=1, dtype=int)
    near = np.bitwise_count(
        (np.concatenate(signatures)[:count] ^ sketch_signature(query, width)) & sketch_signature(mask, width)
    ).sum(axis=1, dtype=int)
    kept = sorted(np.argsort(near, kind="stable")[:coarse].tolist())
    expected = sorted(kept, key=lambda slot: (exact[slot], slot))[:keep]
    slots, distances = sketch_nearest(
        signatures,
        sketches,
        count,
        query,
        mask,
        sketch_signature(query, width),
        sketch_signature(mask, width),
        coarse,
        keep,
    )
    assert slots.tolist() == expected
    assert distances.tolist() == exact[expected].tolist()


def entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), width=widths, rarity=st.integers(0, 8))
def test_features(seed, width, rarity):
    query, mask = random_bytes(seed, 512), np.repeat(random_bytes(seed + 1, 512 // width) % 4 > 0, width)
    changes = random_bytes(seed + 2, 512) * (random_bytes(seed + 3, 512) >> 1 < 128 >> rarity)
    mask_bytes = mask.astype(np.uint8) * np.uint8(255)
    features = sketch_features((query ^ changes)[None], query, mask_bytes, width)[0]
    for plane in range(width):
        values = changes[plane::width][mask[plane::width]]
        if not values.size:
            assert not features[plane].any()
            continue
        histogram = np.bincount(values, minlength=256)
        bits = np.unpackbits(values[:, None], axis=1).sum(axis=0)
        bit_entropy = sum(entropy(np.array([ones, values.size - ones])) for ones in bits)
        corrected = entropy(histogram) + (np.count_nonzero(histogram) - 1) / (2 * values.size * math.log(2))
        expected = [histogram[0] / values.size, bit_entropy, min(8.0, corrected)]
        assert np.allclose(features[plane], expected, atol=1e-5)
