// The codecs `ulp_delta` and `ulp_delta_fast`: what a chunk differs by from its prediction, counted in units of the
// last place.
//
// Duty: elements become integers in the order of their values; the difference of target and prediction is coded as
// a token (and, where it is large, extra bits) in a context by the magnitude of the prediction, because the same
// change is many units of a small number and few of a large one. ulp_delta codes tokens by wide rANS in up to 16
// contexts; ulp_delta_fast has 16 tokens and 8 contexts, whose tables fit into vector registers.
// Not its duty: making the prediction.
// Invariants: lossless for every bit pattern; a decoder allocates nothing by a coded number, writes all of its output
// or throws. Layout: docs/format.md, "ulp_delta".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

/// How elements are compared.
struct UlpModel {
  bool is_float = true;   ///< sign and magnitude; else two's complement
  unsigned shift = 0;     ///< a context is made of the prediction's magnitude shifted right by this
  std::uint64_t top = 0;  ///< magnitudes of at least this are in context 0, each one less in the next
  unsigned contexts = 1;  ///< 1 to 16
};

/// The model that fits a chunk best, judged by a sample of it, and what it promises.
struct UlpPlan {
  UlpModel model, fast_model;   ///< for ulp_delta, for ulp_delta_fast
  std::size_t fast_low = 0;     ///< low bytes of a difference that ulp_delta_fast keeps as they are
  std::size_t nbytes = 0;       ///< predicted size by ulp_delta
  std::size_t fast_nbytes = 0;  ///< predicted size by ulp_delta_fast
};

/// Look at a sample of a chunk.
/// @param target, prediction borrowed, of equal length, at most 4 MiB
/// @param width bytes of an element: 1, 2, 4 or 8
/// @throws Error (kUsage, kShapeMismatch)
UlpPlan plan_ulp_delta(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                       std::size_t width);

/// Worst coded size of a chunk, for both codecs.
/// @throws Error (kUsage) where no chunk can be so
std::size_t ulp_delta_bound(std::size_t nbytes, std::size_t width);

/// Code a chunk against a prediction.
/// @param plan what plan_ulp_delta made of the same bytes; that of other bytes costs size, one that elements of this
///             width cannot have is refused
/// @param out at least ulp_delta_bound() bytes; must not overlap
/// @return bytes written; may be more than target.size()
/// @throws Error (kUsage, kShapeMismatch)
std::size_t encode_ulp_delta(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                             std::size_t width, const UlpPlan& plan, std::span<std::uint8_t> out);
std::size_t encode_ulp_delta_fast(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                                  std::size_t width, const UlpPlan& plan, std::span<std::uint8_t> out);

/// Decode a chunk into all of `out`.
/// @param coded may be hostile; must not overlap `out`
/// @param prediction of out's length
/// @throws Error (kCorruptPack, kShapeMismatch); `out` then holds rubbish
void decode_ulp_delta(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> prediction, std::size_t width,
                      std::span<std::uint8_t> out);
void decode_ulp_delta_fast(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> prediction,
                           std::size_t width, std::span<std::uint8_t> out);

}  // namespace tensorhub
