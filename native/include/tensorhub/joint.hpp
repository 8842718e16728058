// The codec `joint`: exponent and top mantissa bits of floats coded together, in contexts of scale.
//
// Duty: the smallest size of floats without a base. The exponent and the two mantissa bits below it are one symbol,
// coded by wide rANS; each run of 256 values has a class by its scale, so that rows of other scales have tables of
// their own. The sign and the other bits, which nothing predicts, are kept packed.
// Not its duty: predictions (ulp_delta.hpp), elements that are no floats (planes_codec.hpp).
// Invariants: lossless for every bit pattern; a decoder allocates nothing by a coded number, writes all of its output
// or throws. Layout: docs/format.md, "joint".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

/// Where the exponent of an element is.
enum class FloatKind : unsigned char { kBf16 = 0, kF32 = 1, kF16 = 2 };

/// Worst coded size of a chunk.
/// @throws Error (kUsage) where no chunk can be so
std::size_t joint_bound(std::size_t nbytes);

/// Code a chunk.
/// @param target borrowed, at most 4 MiB; any length
/// @param out    at least joint_bound() bytes; must not overlap
/// @return bytes written; may be more than target.size()
/// @throws Error (kUsage, kShapeMismatch)
std::size_t encode_joint(std::span<const std::uint8_t> target, FloatKind kind, std::span<std::uint8_t> out);

/// Decode a chunk into all of `out`.
/// @param coded may be hostile; must not overlap `out`
/// @param width bytes of an element, as the blob record says: 2 or 4
/// @throws Error (kCorruptPack; kUsage where `out` overlaps an input); `out` then holds rubbish
void decode_joint(std::span<const std::uint8_t> coded, std::size_t width, std::span<std::uint8_t> out);

}  // namespace tensorhub
