// Which vector instructions the kernels use: found once at run time, one binary for every processor.
//
// Duty: name the paths, find the best one that this processor has, let a test choose another.
// Not its duty: the kernels; each source compiles its own once per path (src/simd/for_each_level.hpp).
// Invariant: every path gives the same bytes for the same input.
#pragma once

#include <array>
#include <string_view>

namespace tensorhub {

/// A path through the kernels. A processor that has one need not have those before it (kNeon is of ARM).
enum class SimdLevel : unsigned char { kPortable, kSse4, kAvx2, kAvx512, kAvx512Vbmi2, kNeon };

inline constexpr std::array<std::string_view, 6> kSimdLevelNames = {"portable", "sse4",         "avx2",
                                                                    "avx512",   "avx512-vbmi2", "neon"};

/// Whether this processor can run a path that was compiled in.
bool has_simd_level(SimdLevel level);

/// The path in use: the best one, unless set_simd_level chose another.
SimdLevel simd_level();

/// Use another path from now on, in all threads; for tests and measurements. Call it while no kernel runs.
/// @throws Error (kUsage) where the processor or this build does not have it.
void set_simd_level(SimdLevel level);

}  // namespace tensorhub
