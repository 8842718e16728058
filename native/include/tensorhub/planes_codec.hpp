// The codec `planes`: byte planes of elements, each coded by what suits it.
//
// Duty: turn a chunk into planes (with the exponent brought into one of them, or neighbours subtracted), code each
// plane raw, constant, trimmed, as a cascade or by rANS, and decode straight into the caller's buffer.
// Not its duty: predictions (ulp_delta.hpp); whatever repeats (zstd).
// Invariants: lossless for every bit pattern; a decoder allocates nothing by a coded number, writes all of its output
// or throws. Layout: docs/format.md, "planes".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

inline constexpr std::size_t kPlanesMaxWidth = 16;
inline constexpr std::size_t kPlanesMaxNbytes = std::size_t{4} << 20;  // the longest chunk

/// What an encoder may spend: kFast decodes at the speed of memory, kSmall takes the smallest coder of each plane.
enum class PlanesEffort : unsigned char { kFast, kBalanced, kSmall };

/// What a look at 2,048 values promises.
struct PlanesPlan {
  std::size_t nbytes = 0;   ///< predicted size
  bool moves_sign = false;  ///< whether the exponent fills a plane once the sign is out of it: BF16, F32
  bool subtracts = false;   ///< whether neighbours are subtracted
};

/// Look at a sample of a chunk.
/// @throws Error (kUsage)
PlanesPlan plan_planes(std::span<const std::uint8_t> target, std::size_t width);

/// Worst coded size of a chunk.
/// @throws Error (kUsage) where no chunk can be so
std::size_t planes_bound(std::size_t nbytes, std::size_t width);

/// Code a chunk.
/// @param target borrowed, at most 4 MiB; its length need not be a multiple of `width`
/// @param width  bytes of an element, 1 to 16
/// @param plan   what plan_planes made of the same bytes; another plan costs size and nothing else
/// @param out    at least planes_bound() bytes; must not overlap
/// @return bytes written; may be more than target.size()
/// @throws Error (kUsage, kShapeMismatch)
std::size_t encode_planes(std::span<const std::uint8_t> target, std::size_t width, PlanesEffort effort,
                          const PlanesPlan& plan, std::span<std::uint8_t> out);

/// Decode a chunk into all of `out`.
/// @param coded may be hostile; must not overlap `out`
/// @throws Error (kCorruptPack; kUsage where `out` overlaps an input); `out` then holds rubbish
void decode_planes(std::span<const std::uint8_t> coded, std::size_t width, std::span<std::uint8_t> out);

}  // namespace tensorhub
