// Finds the best path at run time. Contract: include/tensorhub/simd.hpp.
#include "tensorhub/simd.hpp"

#include <atomic>

#include "simd/paths.hpp"
#include "tensorhub/error.hpp"

namespace tensorhub {
namespace {

SimdLevel best_level() {
  constexpr SimdLevel kBestFirst[] = {SimdLevel::kAvx512Vbmi2, SimdLevel::kAvx512, SimdLevel::kAvx2,
                                      SimdLevel::kSse4, SimdLevel::kNeon};
  for (const SimdLevel level : kBestFirst)
    if (has_simd_level(level)) return level;
  return SimdLevel::kPortable;
}

std::atomic<SimdLevel>& current_level() {
  static std::atomic<SimdLevel> level{best_level()};
  return level;
}

}  // namespace

bool has_simd_level(SimdLevel level) {
  if (level == SimdLevel::kPortable) return true;
#if TENSORHUB_X86
  switch (level) {
    case SimdLevel::kSse4:
      return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
    case SimdLevel::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
             __builtin_cpu_supports("popcnt");
    case SimdLevel::kAvx512:
    case SimdLevel::kAvx512Vbmi2:
      if (level == SimdLevel::kAvx512Vbmi2 &&
          !(__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2")))
        return false;
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("popcnt");
    default:
      return false;
  }
#elif TENSORHUB_NEON
  return level == SimdLevel::kNeon;
#else
  return false;
#endif
}

SimdLevel simd_level() { return current_level().load(std::memory_order_relaxed); }

void set_simd_level(SimdLevel level) {
  if (!has_simd_level(level)) {
    throw Error(ErrorKind::kUsage, "SIMD path " + std::string(kSimdLevelNames[static_cast<unsigned>(level)]),
                "one that this processor has", "a processor without it", "Leave the choice to TensorHub.");
  }
  current_level().store(level, std::memory_order_relaxed);
}

}  // namespace tensorhub
