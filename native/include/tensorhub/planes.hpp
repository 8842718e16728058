// Byte planes, XOR and the small reversible rearrangements that make weights compressible.
//
// Duty: rearrange bytes at memory speed. Not its duty: entropy coding, choosing, threads, Python.
// Invariants: every function is deterministic and bit-identical on every processor; its plain twin in
// src/tensorhub/codecs/reference.py is the definition. Nothing allocates, except the strings of a thrown Error.
// Common rules: spans may be unaligned and empty; an output must not overlap an input (checked: Error kUsage);
// sizes are checked before the first write, so no content, however hostile, is read or written out of bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// Splits elements into byte planes: plane 0 (lowest byte of every little-endian element), then plane 1, ...,
/// then the tail (in.size() % width bytes) verbatim.
/// @param width bytes per element, at least 1 (else kUsage). 2, 4 and 8 are fast; 1 is a copy.
/// @param out exactly in.size() bytes (else kShapeMismatch).
void split_planes(Bytes in, std::size_t width, MutableBytes out);

/// Inverse of split_planes; same rules.
void merge_planes(Bytes planes, std::size_t width, MutableBytes out);

/// split_planes(target XOR prediction), fused. prediction.size() == target.size() (else kShapeMismatch).
void xor_split_planes(Bytes target, Bytes prediction, std::size_t width, MutableBytes out);

/// merge_planes(planes) XOR prediction, fused: the inverse of xor_split_planes.
void merge_planes_xor(Bytes planes, Bytes prediction, std::size_t width, MutableBytes out);

/// out = a XOR b; all three of one size (else kShapeMismatch).
void xor_bytes(Bytes a, Bytes b, MutableBytes out);

/// Number of bits in which a and b differ; sizes must be equal (else kShapeMismatch).
std::uint64_t xor_popcount(Bytes a, Bytes b);

/// Whether a and b hold the same bytes; sizes must be equal (else kShapeMismatch).
bool equal_bytes(Bytes a, Bytes b);

/// Exchanges, in place, the top bit of each `high` byte (a float's sign) with the top bit of the `low` byte
/// (the exponent's lowest bit in BF16 and F32), and rotates `high` so that it holds the eight exponent bits:
/// high' = high << 1 | low >> 7,  low' = (high & 0x80) | (low & 0x7f).
/// Two planes of equal size (else kShapeMismatch) that do not overlap (else kUsage).
void move_sign_down(MutableBytes high, MutableBytes low);

/// Inverse of move_sign_down.
void move_sign_up(MutableBytes high, MutableBytes low);

/// Splits into a bitmap (bit i % 8 of byte i / 8 is set where in[i] != 0; unused bits are 0) and the non-zero bytes.
/// @param bitmap exactly (in.size() + 7) / 8 bytes (else kShapeMismatch).
/// @param values at least in.size() bytes (else kShapeMismatch): the worst case. Bytes after the returned count
///   are scratch and hold nothing of meaning.
/// @return number of non-zero bytes, which lie at the front of `values`.
std::size_t split_nonzero(Bytes in, MutableBytes bitmap, MutableBytes values);

/// Inverse of split_nonzero.
/// @param bitmap exactly (out.size() + 7) / 8 bytes (else kShapeMismatch); hostile content is allowed.
/// @param values as many bytes as the bitmap has set bits; otherwise, or if an unused bit is set, kCorruptPack,
///   before anything is written. A zero among the values is not an error.
void merge_nonzero(Bytes bitmap, Bytes values, MutableBytes out);

}  // namespace tensorhub
