// Order-0 entropy in integers, by which encoders choose.
//
// Invariant: integer arithmetic only, so that every machine chooses alike.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

namespace entropy_tables {

// log2(x) in 65536ths for x in [1, 2) by sixteen squarings, each of which tells one more bit.
constexpr std::uint32_t log2_of_mantissa(std::uint64_t x) {  // x in [2^31, 2^32)
  std::uint32_t fraction = 0;
  for (unsigned k = 0; k < 16; ++k) {
    x = x * x >> 31;
    fraction <<= 1;
    if (x >> 32) {
      x >>= 1;
      fraction |= 1;
    }
  }
  return fraction;
}

inline constexpr auto kLog2 = [] {
  std::array<std::uint32_t, 257> table{};
  for (std::uint64_t k = 0; k < 256; ++k) table[k] = log2_of_mantissa((256 + k) << 23);
  table[256] = 65536;
  return table;
}();

}  // namespace entropy_tables

/// log2(value) in 65536ths, a few of them off; value is at least 1 and below 2^48.
inline std::uint64_t log2_fixed(std::uint64_t value) {
  const unsigned whole = static_cast<unsigned>(std::bit_width(value)) - 1;
  const std::uint64_t mantissa = whole >= 16 ? value >> (whole - 16) : value << (16 - whole);  // in [2^16, 2^17)
  const std::size_t index = mantissa >> 8 & 0xff;
  const std::uint64_t between = mantissa & 0xff;
  const std::uint64_t low = entropy_tables::kLog2[index], high = entropy_tables::kLog2[index + 1];
  return (std::uint64_t{whole} << 16) + low + ((high - low) * between >> 8);
}

/// Entropy of a histogram times its sum, in bits (rounded down).
inline std::uint64_t entropy_bits(std::span<const std::uint32_t> counts) {
  std::uint64_t sum = 0, weighted = 0;
  for (const std::uint32_t count : counts) {
    if (!count) continue;
    sum += count;
    weighted += count * log2_fixed(count);
  }
  return sum ? (sum * log2_fixed(sum) - weighted) >> 16 : 0;
}

}  // namespace tensorhub
