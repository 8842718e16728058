// Elements against their prediction, for every width: the part that both ULP deltas share.
//
// Duty: fold differences, make contexts and tokens, apply folded differences; the framing of the model.
// Not its duty: coding tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tensorhub/ulp_delta.hpp"

namespace tensorhub {

inline constexpr std::size_t kUlpTileValues = 4096;
inline constexpr std::uint8_t kUlpDirectTokens = 16;  // tokens below are the folded difference itself
inline constexpr std::size_t kUlpModelNbytes = 1 + 1 + 1 + 8;

/// Folded differences of `n` elements, as integers of the element's width.
void ulp_fold_differences(std::size_t width, bool is_float, const std::uint8_t* target, const std::uint8_t* prediction,
                          std::size_t n, std::uint8_t* folded);
/// The inverse.
void ulp_apply_differences(std::size_t width, bool is_float, const std::uint8_t* prediction, const std::uint8_t* folded,
                           std::size_t n, std::uint8_t* out);
void ulp_make_contexts(std::size_t width, const UlpModel& model, const std::uint8_t* prediction, std::size_t n,
                       std::uint8_t* contexts);
void ulp_make_tokens(std::size_t width, const std::uint8_t* folded, std::size_t n, std::uint8_t* tokens);
/// Tokens as folded differences, right where they are direct.
void ulp_widen_tokens(std::size_t width, const std::uint8_t* tokens, std::size_t n, std::uint8_t* folded);

/// Bits of a number that its token leaves open; 0 for direct tokens.
inline unsigned ulp_extra_bits(std::uint8_t token) {
  return token < kUlpDirectTokens ? 0 : (token - unsigned{kUlpDirectTokens}) / 4 + 2;
}

inline std::uint64_t ulp_get(std::size_t width, const std::uint8_t* from, std::size_t i) {
  switch (width) {
    case 1: return from[i];
    case 2: return from[2 * i] | std::uint64_t{from[2 * i + 1]} << 8;
    default: {
      std::uint64_t value = 0;
      for (std::size_t k = 0; k < width; ++k) value |= std::uint64_t{from[i * width + k]} << 8 * k;
      return value;
    }
  }
}
inline void ulp_put(std::size_t width, std::uint8_t* to, std::size_t i, std::uint64_t value) {
  for (std::size_t k = 0; k < width; ++k) to[i * width + k] = static_cast<std::uint8_t>(value >> 8 * k);
}

/// Take `low` bytes off each difference: their planes go to `lows` (n bytes each), the rest is folded again.
void ulp_split_low(std::size_t width, std::size_t low, std::uint8_t* folded, std::size_t n, std::uint8_t* const* lows);
/// The inverse.
void ulp_join_low(std::size_t width, std::size_t low, std::uint8_t* folded, std::size_t n,
                  const std::uint8_t* const* lows);

void ulp_write_model(const UlpModel& model, std::uint8_t* to);
/// @throws Error (kCorruptPack)
UlpModel ulp_read_model(std::string_view thing, const std::uint8_t* from, std::size_t width, std::size_t max_contexts);

/// @throws Error (kUsage) where a plan was made for other elements.
void ulp_check_model(const UlpModel& model, std::size_t width, std::size_t max_contexts, std::size_t low);
/// @throws Error (kUsage, kShapeMismatch)
void ulp_check(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction, std::size_t width);
/// @throws Error (kCorruptPack, kShapeMismatch, kUsage)
void ulp_check_decoding(std::string_view thing, std::span<const std::uint8_t> coded,
                        std::span<const std::uint8_t> prediction, std::size_t width, std::span<const std::uint8_t> out);

}  // namespace tensorhub
