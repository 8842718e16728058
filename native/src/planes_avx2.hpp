// AVX2 bodies of the plane kernels: 32 elements a step; what is left is the caller's.
//
// Duty: the register shuffles. Not its duty: sizes, tails, dispatch (planes.cpp).
// Invariant: callable only where __builtin_cpu_supports("avx2"); compiled per function, so that one binary without
// -march serves every processor.
#pragma once

// TENSORHUB_PORTABLE leaves these bodies out, so that tests reach the portable ones on any machine.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(TENSORHUB_PORTABLE)
#define TENSORHUB_HAS_AVX2 1

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tensorhub::avx2 {

#define TENSORHUB_AVX2 __attribute__((target("avx2")))

constexpr std::size_t kStepElements = 32;  // one 32-byte register of each plane

TENSORHUB_AVX2 inline __m256i load(const std::uint8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
TENSORHUB_AVX2 inline void store(std::uint8_t* at, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), v);
}

// 64 bytes (a then b) -> the 32 even bytes, the 32 odd bytes.
TENSORHUB_AVX2 inline void split2(__m256i a, __m256i b, __m256i& even, __m256i& odd) {
  const __m256i mask = _mm256_set1_epi16(0x00ff);
  even = _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask)), 0xd8);
  odd = _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)), 0xd8);
}

TENSORHUB_AVX2 inline void merge2(__m256i even, __m256i odd, __m256i& a, __m256i& b) {
  even = _mm256_permute4x64_epi64(even, 0xd8);
  odd = _mm256_permute4x64_epi64(odd, 0xd8);
  a = _mm256_unpacklo_epi8(even, odd);
  b = _mm256_unpackhi_epi8(even, odd);
}

// Transposes the 4 x 4 matrix of 8-byte words that four registers hold.
TENSORHUB_AVX2 inline void transpose_words(__m256i* v) {
  const __m256i a = _mm256_unpacklo_epi64(v[0], v[1]), b = _mm256_unpackhi_epi64(v[0], v[1]);
  const __m256i c = _mm256_unpacklo_epi64(v[2], v[3]), d = _mm256_unpackhi_epi64(v[2], v[3]);
  v[0] = _mm256_permute2x128_si256(a, c, 0x20);
  v[1] = _mm256_permute2x128_si256(b, d, 0x20);
  v[2] = _mm256_permute2x128_si256(a, c, 0x31);
  v[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

// The 4 x 4 byte transpose inside each 16-byte lane; its own inverse.
TENSORHUB_AVX2 inline __m256i transpose_bytes(__m256i v) {
  const __m256i index = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9,
                                         13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm256_shuffle_epi8(v, index);
}

// 128 bytes in order -> planes 0..3 of 32 four-byte elements.
TENSORHUB_AVX2 inline void split4(__m256i* v) {
  const __m256i index = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (int i = 0; i < 4; ++i) v[i] = _mm256_permutevar8x32_epi32(transpose_bytes(v[i]), index);
  transpose_words(v);
}

TENSORHUB_AVX2 inline void merge4(__m256i* v) {
  const __m256i index = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  transpose_words(v);
  for (int i = 0; i < 4; ++i) v[i] = transpose_bytes(_mm256_permutevar8x32_epi32(v[i], index));
}

template <std::size_t kWidth>
TENSORHUB_AVX2 inline void split_registers(__m256i* v) {
  if constexpr (kWidth == 2) {
    split2(v[0], v[1], v[0], v[1]);
  } else if constexpr (kWidth == 4) {
    split4(v);
  } else {  // 8: even and odd bytes are two streams of four-byte elements
    __m256i even[4], odd[4];
    for (int i = 0; i < 4; ++i) split2(v[2 * i], v[2 * i + 1], even[i], odd[i]);
    split4(even);
    split4(odd);
    for (int i = 0; i < 4; ++i) {
      v[2 * i] = even[i];
      v[2 * i + 1] = odd[i];
    }
  }
}

template <std::size_t kWidth>
TENSORHUB_AVX2 inline void merge_registers(__m256i* v) {
  if constexpr (kWidth == 2) {
    merge2(v[0], v[1], v[0], v[1]);
  } else if constexpr (kWidth == 4) {
    merge4(v);
  } else {
    __m256i even[4], odd[4];
    for (int i = 0; i < 4; ++i) {
      even[i] = v[2 * i];
      odd[i] = v[2 * i + 1];
    }
    merge4(even);
    merge4(odd);
    for (int i = 0; i < 4; ++i) merge2(even[i], odd[i], v[2 * i], v[2 * i + 1]);
  }
}

/// Splits whole steps of `count` elements; returns how many elements were done.
template <std::size_t kWidth, bool kXor>
TENSORHUB_AVX2 std::size_t split(const std::uint8_t* in, const std::uint8_t* prediction, std::size_t count,
                                 std::uint8_t* out) {
  std::size_t i = 0;
  for (; i + kStepElements <= count; i += kStepElements) {
    __m256i v[kWidth];
    for (std::size_t k = 0; k < kWidth; ++k) {
      v[k] = load(in + i * kWidth + 32 * k);
      if constexpr (kXor) v[k] = _mm256_xor_si256(v[k], load(prediction + i * kWidth + 32 * k));
    }
    split_registers<kWidth>(v);
    for (std::size_t k = 0; k < kWidth; ++k) store(out + k * count + i, v[k]);
  }
  return i;
}

/// Merges whole steps of `count` elements; returns how many elements were done.
template <std::size_t kWidth, bool kXor>
TENSORHUB_AVX2 std::size_t merge(const std::uint8_t* planes, const std::uint8_t* prediction, std::size_t count,
                                 std::uint8_t* out) {
  std::size_t i = 0;
  for (; i + kStepElements <= count; i += kStepElements) {
    __m256i v[kWidth];
    for (std::size_t k = 0; k < kWidth; ++k) v[k] = load(planes + k * count + i);
    merge_registers<kWidth>(v);
    for (std::size_t k = 0; k < kWidth; ++k) {
      if constexpr (kXor) v[k] = _mm256_xor_si256(v[k], load(prediction + i * kWidth + 32 * k));
      store(out + i * kWidth + 32 * k, v[k]);
    }
  }
  return i;
}

}  // namespace tensorhub::avx2

#endif
