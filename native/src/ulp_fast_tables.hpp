// Tables and kernels of the fast ULP delta.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorhub {

inline constexpr std::size_t kUlpFastContexts = 8, kUlpFastTokens = 16;
// The last two tokens: a byte more says the folded difference, or all of its bytes do.
inline constexpr std::uint8_t kUlpFastShort = 14, kUlpFastLong = 15;
inline constexpr std::uint64_t kUlpFastShortRange = 256;  // differences from kUlpFastShort on that a byte can say

/// Indexed by 16 context + token; `slots` by 256 context + slot: token, frequency and slot less start, 8 bits each.
struct UlpFastTables {
  alignas(64) std::uint8_t frequencies[128], starts[128], inverse_low[128], inverse_high[128];
  std::uint8_t lasts[16];  // by context: index of its last token that occurs
  std::uint32_t slots[kUlpFastContexts * 256];
};

struct UlpFastKernels {
  bool (*decode)(const UlpFastTables&, std::uint16_t* states, std::size_t groups, const std::uint8_t* begin,
                 const std::uint8_t*& bytes, const std::uint8_t* readable_end, const std::uint8_t* contexts,
                 std::uint8_t* out, std::size_t steps);
  void (*encode)(const UlpFastTables&, std::uint16_t* states, std::size_t groups, const std::uint8_t* tokens,
                 const std::uint8_t* contexts, std::size_t steps, std::uint8_t*& to);
  std::uint64_t (*at_least)(const std::uint8_t* tokens, std::uint8_t limit);
  void (*part)(const std::uint16_t* folded, std::size_t steps, std::uint8_t* tokens, std::uint8_t*& shorts);
  std::size_t (*join)(const std::uint8_t* tokens, const std::uint8_t* shorts, std::size_t steps, std::uint16_t* folded);
  void (*count)(const std::uint8_t* tokens, const std::uint8_t* contexts, std::size_t steps, std::uint32_t* counts);
};

/// Those of the path in use.
UlpFastKernels ulp_fast_kernels();

}  // namespace tensorhub
