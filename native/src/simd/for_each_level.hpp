// Compiles one file of kernels once for every path, each in a namespace of its own.
//
// Duty: include TENSORHUB_KERNELS (a file name) with the vector operations of each path in scope. Afterwards
// TENSORHUB_DISPATCH(function) is the function of the path in use.
// Invariants: the file of kernels includes nothing; whatever it needs is included before, outside of any target, so
// that no inline function of a library is compiled for instructions that a processor may lack.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/byte_shuffles.hpp"
#include "simd/paths.hpp"
#include "tensorhub/simd.hpp"
#if TENSORHUB_X86
#include <immintrin.h>
#elif TENSORHUB_NEON
#include <arm_neon.h>
#endif

// GCC 12 takes the undefined registers of its own intrinsics for mistakes.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace tensorhub::portable {
#define TENSORHUB_LEVEL 0
#include "simd/ops_portable.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
}  // namespace tensorhub::portable

#if TENSORHUB_X86
TENSORHUB_TARGET_BEGIN("sse4.1,ssse3,popcnt")
namespace tensorhub::sse4 {
#define TENSORHUB_LEVEL 1
#include "simd/ops_sse4.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
}  // namespace tensorhub::sse4
TENSORHUB_TARGET_END

TENSORHUB_TARGET_BEGIN("avx2,bmi,bmi2,popcnt")
namespace tensorhub::avx2_path {
#define TENSORHUB_LEVEL 2
#include "simd/ops_avx2.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
}  // namespace tensorhub::avx2_path
TENSORHUB_TARGET_END

// GCC 12 takes what its own AVX-512 intrinsics leave open on purpose for a mistake (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
TENSORHUB_TARGET_BEGIN("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")
namespace tensorhub::avx512 {
#define TENSORHUB_LEVEL 3
#define TENSORHUB_VBMI2 0
#include "simd/ops_avx512.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
#undef TENSORHUB_VBMI2
}  // namespace tensorhub::avx512
TENSORHUB_TARGET_END

TENSORHUB_TARGET_BEGIN(
    "avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx512vbmi2")
namespace tensorhub::avx512_vbmi2 {
#define TENSORHUB_LEVEL 4
#define TENSORHUB_VBMI2 1
#include "simd/ops_avx512.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
#undef TENSORHUB_VBMI2
}  // namespace tensorhub::avx512_vbmi2
TENSORHUB_TARGET_END
#pragma GCC diagnostic pop

// A switch that the branch predictor learns at once; the references behind it are to plain functions.
#define TENSORHUB_DISPATCH(function)                                                  \
  [] {                                                                                \
    switch (::tensorhub::simd_level()) {                                              \
      case ::tensorhub::SimdLevel::kAvx512Vbmi2: return &::tensorhub::avx512_vbmi2::function; \
      case ::tensorhub::SimdLevel::kAvx512: return &::tensorhub::avx512::function;    \
      case ::tensorhub::SimdLevel::kAvx2: return &::tensorhub::avx2_path::function;   \
      case ::tensorhub::SimdLevel::kSse4: return &::tensorhub::sse4::function;        \
      default: return &::tensorhub::portable::function;                               \
    }                                                                                 \
  }()
#elif TENSORHUB_NEON
namespace tensorhub::neon {
#define TENSORHUB_LEVEL 5
#include "simd/ops_neon.hpp"
#include TENSORHUB_KERNELS
#undef TENSORHUB_LEVEL
}  // namespace tensorhub::neon
#define TENSORHUB_DISPATCH(function)                                                    \
  (::tensorhub::simd_level() == ::tensorhub::SimdLevel::kNeon ? &::tensorhub::neon::function \
                                                              : &::tensorhub::portable::function)
#else
#define TENSORHUB_DISPATCH(function) (&::tensorhub::portable::function)
#endif
