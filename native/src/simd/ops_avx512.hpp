// The vector operations on AVX-512 (F, BW, DQ, VL), and with VBMI and VBMI2 where TENSORHUB_VBMI2 is 1.
//
// Duty: see ops_portable.hpp, which defines every name. Included twice, in two namespaces.
struct Bytes {
  __m512i v;
};
struct Words {
  __m512i lo, hi;  // lanes 0 to 31, 32 to 63
};
using Mask = std::uint64_t;
using WordMask = std::uint64_t;

TENSORHUB_INLINE Bytes load(const std::uint8_t* from) { return {_mm512_loadu_si512(from)}; }
TENSORHUB_INLINE void store(std::uint8_t* to, Bytes a) { _mm512_storeu_si512(to, a.v); }
TENSORHUB_INLINE Bytes splat(std::uint8_t value) { return {_mm512_set1_epi8(static_cast<char>(value))}; }
TENSORHUB_INLINE Bytes load16(const std::uint8_t* from) {
  return {_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))};
}
TENSORHUB_INLINE Words load_words(const std::uint16_t* from) {
  return {_mm512_loadu_si512(from), _mm512_loadu_si512(from + 32)};
}
TENSORHUB_INLINE void store_words(std::uint16_t* to, Words a) {
  _mm512_storeu_si512(to, a.lo);
  _mm512_storeu_si512(to + 32, a.hi);
}
TENSORHUB_INLINE Words splat_words(std::uint16_t value) {
  const __m512i v = _mm512_set1_epi16(static_cast<short>(value));
  return {v, v};
}

TENSORHUB_INLINE Bytes bit_and(Bytes a, Bytes b) { return {_mm512_and_si512(a.v, b.v)}; }
TENSORHUB_INLINE Bytes bit_or(Bytes a, Bytes b) { return {_mm512_or_si512(a.v, b.v)}; }
TENSORHUB_INLINE Bytes add(Bytes a, Bytes b) { return {_mm512_add_epi8(a.v, b.v)}; }
TENSORHUB_INLINE Bytes sub(Bytes a, Bytes b) { return {_mm512_sub_epi8(a.v, b.v)}; }
TENSORHUB_INLINE Bytes lesser(Bytes a, Bytes b) { return {_mm512_min_epu8(a.v, b.v)}; }
#define TENSORHUB_WORD_OP(name, intrinsic) \
  inline Words name(Words a, Words b) { return {intrinsic(a.lo, b.lo), intrinsic(a.hi, b.hi)}; }
TENSORHUB_WORD_OP(bit_and, _mm512_and_si512)
TENSORHUB_WORD_OP(bit_or, _mm512_or_si512)
TENSORHUB_WORD_OP(bit_xor, _mm512_xor_si512)
TENSORHUB_WORD_OP(add, _mm512_add_epi16)
TENSORHUB_WORD_OP(sub, _mm512_sub_epi16)
TENSORHUB_WORD_OP(lesser, _mm512_min_epu16)
TENSORHUB_WORD_OP(sub_saturated, _mm512_subs_epu16)
TENSORHUB_WORD_OP(mul_low, _mm512_mullo_epi16)
TENSORHUB_WORD_OP(mul_high, _mm512_mulhi_epu16)
#undef TENSORHUB_WORD_OP
template <int N>
TENSORHUB_INLINE Words shift_left(Words a) {
  return {_mm512_slli_epi16(a.lo, N), _mm512_slli_epi16(a.hi, N)};
}
template <int N>
TENSORHUB_INLINE Words shift_right(Words a) {
  return {_mm512_srli_epi16(a.lo, N), _mm512_srli_epi16(a.hi, N)};
}
TENSORHUB_INLINE Words sign_fill(Words a) { return {_mm512_srai_epi16(a.lo, 15), _mm512_srai_epi16(a.hi, 15)}; }

TENSORHUB_INLINE Mask equal(Bytes a, Bytes b) { return _mm512_cmpeq_epi8_mask(a.v, b.v); }
TENSORHUB_INLINE WordMask less(Words a, Words b) {
  return _mm512_cmplt_epu16_mask(a.lo, b.lo) |
         static_cast<WordMask>(_mm512_cmplt_epu16_mask(a.hi, b.hi)) << 32;
}
TENSORHUB_INLINE WordMask equal(Words a, Words b) {
  return _mm512_cmpeq_epi16_mask(a.lo, b.lo) |
         static_cast<WordMask>(_mm512_cmpeq_epi16_mask(a.hi, b.hi)) << 32;
}
TENSORHUB_INLINE std::uint64_t bits(Mask m) { return m; }
TENSORHUB_INLINE unsigned count(std::uint64_t bits) { return static_cast<unsigned>(_mm_popcnt_u64(bits)); }
TENSORHUB_INLINE Mask byte_mask(std::uint64_t bits) { return bits; }
TENSORHUB_INLINE std::uint64_t word_bits(WordMask m) { return m; }
TENSORHUB_INLINE WordMask word_mask_not(WordMask m) { return ~m; }
TENSORHUB_INLINE Bytes choose_bytes(Mask m, Bytes a, Bytes b) { return {_mm512_mask_blend_epi8(m, a.v, b.v)}; }
TENSORHUB_INLINE Words choose_words(WordMask m, Words a, Words b) {
  return {_mm512_mask_blend_epi16(static_cast<__mmask32>(m), a.lo, b.lo),
          _mm512_mask_blend_epi16(static_cast<__mmask32>(m >> 32), a.hi, b.hi)};
}
TENSORHUB_INLINE Bytes lookup16(Bytes table, Bytes index) { return {_mm512_shuffle_epi8(table.v, index.v)}; }

#if TENSORHUB_VBMI2
TENSORHUB_INLINE Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  return {_mm512_maskz_expand_epi8(bits, _mm512_loadu_si512(from))};
}
// To a register first: the form that writes to memory is microcode on Zen 4.
TENSORHUB_INLINE void compress(std::uint64_t bits, Bytes a, std::uint8_t* to) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(bits, a.v));
}
TENSORHUB_INLINE Bytes narrow(Words a) {
  const __m512i even = _mm512_set_epi8(
      126, 124, 122, 120, 118, 116, 114, 112, 110, 108, 106, 104, 102, 100, 98, 96, 94, 92, 90, 88, 86, 84, 82, 80, 78,
      76, 74, 72, 70, 68, 66, 64, 62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22,
      20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return {_mm512_permutex2var_epi8(a.lo, even, a.hi)};
}
#else
TENSORHUB_INLINE __m128i expand16(unsigned bits, const std::uint8_t* from) {
  // Sixteen bytes become words of 32 bits, for which AVX-512F can expand.
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm512_cvtepi32_epi8(_mm512_maskz_expand_epi32(static_cast<__mmask16>(bits), wide));
}
TENSORHUB_INLINE Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  __m128i part[4];
  for (unsigned k = 0; k < 4; ++k) {
    const unsigned some = static_cast<unsigned>(bits >> 16 * k & 0xffff);
    part[k] = expand16(some, from);
    from += static_cast<unsigned>(_mm_popcnt_u32(some));
  }
  const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(part[0]), part[1], 1);
  return {_mm512_inserti32x4(_mm512_inserti32x4(low, part[2], 2), part[3], 3)};
}
TENSORHUB_INLINE void compress(std::uint64_t bits, Bytes a, std::uint8_t* to) {
  const __m128i part[4] = {_mm512_extracti32x4_epi32(a.v, 0), _mm512_extracti32x4_epi32(a.v, 1),
                           _mm512_extracti32x4_epi32(a.v, 2), _mm512_extracti32x4_epi32(a.v, 3)};
  for (unsigned k = 0; k < 4; ++k) {
    const unsigned some = static_cast<unsigned>(bits >> 16 * k & 0xffff);
    const __m512i packed = _mm512_maskz_compress_epi32(static_cast<__mmask16>(some), _mm512_cvtepu8_epi32(part[k]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(packed));
    to += static_cast<unsigned>(_mm_popcnt_u32(some));
  }
}
TENSORHUB_INLINE Bytes narrow(Words a) {
  return {_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a.lo)), _mm512_cvtepi16_epi8(a.hi), 1)};
}
#endif

TENSORHUB_INLINE Words widen(Bytes a) {
  return {_mm512_cvtepu8_epi16(_mm512_castsi512_si256(a.v)), _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(a.v, 1))};
}
TENSORHUB_INLINE Bytes unpack2(const std::uint8_t* from) {
  const __m512i four = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  const __m512i shifts = _mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0);
  return {_mm512_and_si512(_mm512_srlv_epi32(four, shifts), _mm512_set1_epi8(3))};
}
TENSORHUB_INLINE void pack2(Bytes a, std::uint8_t* to) {
  const __m512i shifts = _mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0);
  const __m512i moved = _mm512_sllv_epi32(a.v, shifts);
  const __m256i half = _mm256_or_si256(_mm512_castsi512_si256(moved), _mm512_extracti64x4_epi64(moved, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_or_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}
TENSORHUB_INLINE Bytes unpack4(const std::uint8_t* from) {
  const __m512i both = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  const __m512i shifts = _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0);
  return {_mm512_and_si512(_mm512_srlv_epi64(both, shifts), _mm512_set1_epi8(15))};
}
TENSORHUB_INLINE void pack4(Bytes a, std::uint8_t* to) {
  const __m256i high = _mm256_slli_epi64(_mm512_extracti64x4_epi64(a.v, 1), 4);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_or_si256(_mm512_castsi512_si256(a.v), high));
}
TENSORHUB_INLINE void store_pairs(std::uint8_t* to, Words low, Words high) {
  const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  _mm512_storeu_si512(to, _mm512_permutex2var_epi16(low.lo, first, high.lo));
  _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi16(low.lo, second, high.lo));
  _mm512_storeu_si512(to + 128, _mm512_permutex2var_epi16(low.hi, first, high.hi));
  _mm512_storeu_si512(to + 192, _mm512_permutex2var_epi16(low.hi, second, high.hi));
}
TENSORHUB_INLINE __m256i high_words(__m512i pairs) { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)); }
TENSORHUB_INLINE void load_pairs(const std::uint8_t* from, Words& low, Words& high) {
  const __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 64);
  const __m512i c = _mm512_loadu_si512(from + 128), d = _mm512_loadu_si512(from + 192);
  low = {_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(a)), _mm512_cvtepi32_epi16(b), 1),
         _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(c)), _mm512_cvtepi32_epi16(d), 1)};
  high = {_mm512_inserti64x4(_mm512_castsi256_si512(high_words(a)), high_words(b), 1),
          _mm512_inserti64x4(_mm512_castsi256_si512(high_words(c)), high_words(d), 1)};
}
