// The vector operations on AVX2 (with BMI, BMI2 and POPCNT).
//
// Duty: see ops_portable.hpp, which defines every name. Lane 0 is the lowest of v[0]. Masks are lanes of all ones, so
// that a choice costs one blend; bits() and byte_mask() go between them and integers.
// Invariant: most instructions work inside halves of 16 bytes; whoever packs or unpacks puts the order right here.
struct Bytes {
  __m256i v[2];
};
struct Words {
  __m256i v[4];
};
struct Mask {
  __m256i v[2];
};
struct WordMask {
  __m256i v[4];
};

TENSORHUB_INLINE __m256i load32(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
TENSORHUB_INLINE void store32(void* to, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }
TENSORHUB_INLINE __m128i low_half(__m256i v) { return _mm256_castsi256_si128(v); }
TENSORHUB_INLINE __m128i high_half(__m256i v) { return _mm256_extracti128_si256(v, 1); }
// What a pack of two registers leaves as halves a0 b0 a1 b1, in order.
TENSORHUB_INLINE __m256i in_order(__m256i packed) { return _mm256_permute4x64_epi64(packed, 0xd8); }

TENSORHUB_INLINE Bytes load(const std::uint8_t* from) { return {{load32(from), load32(from + 32)}}; }
TENSORHUB_INLINE void store(std::uint8_t* to, Bytes a) {
  store32(to, a.v[0]);
  store32(to + 32, a.v[1]);
}
TENSORHUB_INLINE Bytes splat(std::uint8_t value) {
  const __m256i v = _mm256_set1_epi8(static_cast<char>(value));
  return {{v, v}};
}
TENSORHUB_INLINE Bytes load16(const std::uint8_t* from) {
  const __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return {{v, v}};
}
TENSORHUB_INLINE Words load_words(const std::uint16_t* from) {
  return {{load32(from), load32(from + 16), load32(from + 32), load32(from + 48)}};
}
TENSORHUB_INLINE void store_words(std::uint16_t* to, Words a) {
  store32(to, a.v[0]);
  store32(to + 16, a.v[1]);
  store32(to + 32, a.v[2]);
  store32(to + 48, a.v[3]);
}
TENSORHUB_INLINE Words splat_words(std::uint16_t value) {
  const __m256i v = _mm256_set1_epi16(static_cast<short>(value));
  return {{v, v, v, v}};
}

#define TENSORHUB_BYTE_OP(Result, name, intrinsic)                   \
  TENSORHUB_INLINE Result name(Bytes a, Bytes b) {                   \
    return {{intrinsic(a.v[0], b.v[0]), intrinsic(a.v[1], b.v[1])}}; \
  }
#define TENSORHUB_WORD_OP(Result, name, intrinsic)                                            \
  TENSORHUB_INLINE Result name(Words a, Words b) {                                            \
    return {{intrinsic(a.v[0], b.v[0]), intrinsic(a.v[1], b.v[1]), intrinsic(a.v[2], b.v[2]), \
             intrinsic(a.v[3], b.v[3])}};                                                     \
  }
TENSORHUB_BYTE_OP(Bytes, bit_and, _mm256_and_si256)
TENSORHUB_BYTE_OP(Bytes, bit_or, _mm256_or_si256)
TENSORHUB_BYTE_OP(Bytes, add, _mm256_add_epi8)
TENSORHUB_BYTE_OP(Bytes, sub, _mm256_sub_epi8)
TENSORHUB_BYTE_OP(Bytes, lesser, _mm256_min_epu8)
TENSORHUB_BYTE_OP(Mask, equal, _mm256_cmpeq_epi8)
TENSORHUB_WORD_OP(Words, bit_and, _mm256_and_si256)
TENSORHUB_WORD_OP(Words, bit_or, _mm256_or_si256)
TENSORHUB_WORD_OP(Words, bit_xor, _mm256_xor_si256)
TENSORHUB_WORD_OP(Words, add, _mm256_add_epi16)
TENSORHUB_WORD_OP(Words, sub, _mm256_sub_epi16)
TENSORHUB_WORD_OP(Words, lesser, _mm256_min_epu16)
TENSORHUB_WORD_OP(Words, sub_saturated, _mm256_subs_epu16)
TENSORHUB_WORD_OP(Words, mul_low, _mm256_mullo_epi16)
TENSORHUB_WORD_OP(Words, mul_high, _mm256_mulhi_epu16)
TENSORHUB_WORD_OP(WordMask, equal, _mm256_cmpeq_epi16)
// The comparison at hand is of signed words; flipping the top bits keeps the order of unsigned ones.
TENSORHUB_INLINE __m256i less16(__m256i a, __m256i b) {
  const __m256i top = _mm256_set1_epi16(-0x8000);
  return _mm256_cmpgt_epi16(_mm256_xor_si256(b, top), _mm256_xor_si256(a, top));
}
TENSORHUB_WORD_OP(WordMask, less, less16)
#undef TENSORHUB_BYTE_OP
#undef TENSORHUB_WORD_OP
template <int N>
TENSORHUB_INLINE Words shift_left(Words a) {
  return {{_mm256_slli_epi16(a.v[0], N), _mm256_slli_epi16(a.v[1], N), _mm256_slli_epi16(a.v[2], N),
           _mm256_slli_epi16(a.v[3], N)}};
}
template <int N>
TENSORHUB_INLINE Words shift_right(Words a) {
  return {{_mm256_srli_epi16(a.v[0], N), _mm256_srli_epi16(a.v[1], N), _mm256_srli_epi16(a.v[2], N),
           _mm256_srli_epi16(a.v[3], N)}};
}
TENSORHUB_INLINE Words sign_fill(Words a) {
  return {{_mm256_srai_epi16(a.v[0], 15), _mm256_srai_epi16(a.v[1], 15), _mm256_srai_epi16(a.v[2], 15),
           _mm256_srai_epi16(a.v[3], 15)}};
}

TENSORHUB_INLINE std::uint64_t bits(Mask m) {
  const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(m.v[0]));
  return low | static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(m.v[1]))) << 32;
}
TENSORHUB_INLINE unsigned count(std::uint64_t bits) { return static_cast<unsigned>(_mm_popcnt_u64(bits)); }
TENSORHUB_INLINE __m256i byte_mask32(std::uint32_t bits) {
  const __m256i byte_of_lane = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2,
                                                3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit_of_lane = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte_of_lane);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit_of_lane), bit_of_lane);
}
TENSORHUB_INLINE Mask byte_mask(std::uint64_t bits) {
  return {{byte_mask32(static_cast<std::uint32_t>(bits)), byte_mask32(static_cast<std::uint32_t>(bits >> 32))}};
}
TENSORHUB_INLINE std::uint64_t word_bits(WordMask m) {
  return bits(Mask{{in_order(_mm256_packs_epi16(m.v[0], m.v[1])), in_order(_mm256_packs_epi16(m.v[2], m.v[3]))}});
}
TENSORHUB_INLINE WordMask word_mask_not(WordMask m) {
  const __m256i ones = _mm256_set1_epi8(-1);
  return {{_mm256_xor_si256(m.v[0], ones), _mm256_xor_si256(m.v[1], ones), _mm256_xor_si256(m.v[2], ones),
           _mm256_xor_si256(m.v[3], ones)}};
}
TENSORHUB_INLINE Bytes choose_bytes(Mask m, Bytes a, Bytes b) {
  return {{_mm256_blendv_epi8(a.v[0], b.v[0], m.v[0]), _mm256_blendv_epi8(a.v[1], b.v[1], m.v[1])}};
}
TENSORHUB_INLINE Words choose_words(WordMask m, Words a, Words b) {
  return {{_mm256_blendv_epi8(a.v[0], b.v[0], m.v[0]), _mm256_blendv_epi8(a.v[1], b.v[1], m.v[1]),
           _mm256_blendv_epi8(a.v[2], b.v[2], m.v[2]), _mm256_blendv_epi8(a.v[3], b.v[3], m.v[3])}};
}
TENSORHUB_INLINE Bytes lookup16(Bytes table, Bytes index) {
  return {{_mm256_shuffle_epi8(table.v[0], index.v[0]), _mm256_shuffle_epi8(table.v[1], index.v[1])}};
}

TENSORHUB_INLINE __m128i load_eights(const std::uint8_t* low, const std::uint8_t* high) {
  std::uint64_t a, b;
  std::memcpy(&a, low, 8);
  std::memcpy(&b, high, 8);
  return _mm_set_epi64x(static_cast<long long>(b), static_cast<long long>(a));
}
// The shuffle of 32 lanes out of a table: each half is two eights, of which the upper one counts from 8.
TENSORHUB_INLINE __m256i shuffle_of(const shuffles::Table& table, std::uint32_t bits) {
  const __m128i low = load_eights(table.at[bits & 0xff], table.at[bits >> 8 & 0xff]);
  const __m128i high = load_eights(table.at[bits >> 16 & 0xff], table.at[bits >> 24]);
  return _mm256_or_si256(_mm256_set_m128i(high, low), _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0));
}
TENSORHUB_INLINE __m256i expand32(std::uint32_t bits, const std::uint8_t* from) {
  // Each eight takes 8 bytes from where it starts, so nothing is read after 64 bytes.
  const std::uint8_t* second = from + _mm_popcnt_u32(bits & 0xff);
  const std::uint8_t* third = from + _mm_popcnt_u32(bits & 0xffff);
  const std::uint8_t* fourth = from + _mm_popcnt_u32(bits & 0xffffff);
  const __m256i taken = _mm256_set_m128i(load_eights(third, fourth), load_eights(from, second));
  return _mm256_shuffle_epi8(taken, shuffle_of(shuffles::kExpand, bits));
}
TENSORHUB_INLINE Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  const auto low = static_cast<std::uint32_t>(bits), high = static_cast<std::uint32_t>(bits >> 32);
  return {{expand32(low, from), expand32(high, from + _mm_popcnt_u32(low))}};
}
TENSORHUB_INLINE void store_eights(__m128i v, std::uint8_t* low, std::uint8_t* high) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(low), v);
  _mm_storeh_pi(reinterpret_cast<__m64*>(high), _mm_castsi128_ps(v));
}
TENSORHUB_INLINE void compress32(std::uint32_t bits, __m256i v, std::uint8_t* to) {
  const __m256i packed = _mm256_shuffle_epi8(v, shuffle_of(shuffles::kCompress, bits));
  store_eights(low_half(packed), to, to + _mm_popcnt_u32(bits & 0xff));
  store_eights(high_half(packed), to + _mm_popcnt_u32(bits & 0xffff), to + _mm_popcnt_u32(bits & 0xffffff));
}
TENSORHUB_INLINE void compress(std::uint64_t bits, Bytes a, std::uint8_t* to) {
  const auto low = static_cast<std::uint32_t>(bits), high = static_cast<std::uint32_t>(bits >> 32);
  compress32(low, a.v[0], to);
  compress32(high, a.v[1], to + _mm_popcnt_u32(low));
}

TENSORHUB_INLINE Words widen(Bytes a) {
  return {{_mm256_cvtepu8_epi16(low_half(a.v[0])), _mm256_cvtepu8_epi16(high_half(a.v[0])),
           _mm256_cvtepu8_epi16(low_half(a.v[1])), _mm256_cvtepu8_epi16(high_half(a.v[1]))}};
}
TENSORHUB_INLINE __m256i narrow32(__m256i a, __m256i b) {
  const __m256i low_bytes = _mm256_set1_epi16(0x00ff);  // else the pack would saturate
  return in_order(_mm256_packus_epi16(_mm256_and_si256(a, low_bytes), _mm256_and_si256(b, low_bytes)));
}
TENSORHUB_INLINE Bytes narrow(Words a) { return {{narrow32(a.v[0], a.v[1]), narrow32(a.v[2], a.v[3])}}; }

TENSORHUB_INLINE Bytes unpack2(const std::uint8_t* from) {
  const Bytes four = load16(from);
  const __m256i two_bits = _mm256_set1_epi8(3);
  const __m256i low = _mm256_srlv_epi32(four.v[0], _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
  const __m256i high = _mm256_srlv_epi32(four.v[1], _mm256_setr_epi32(4, 4, 4, 4, 6, 6, 6, 6));
  return {{_mm256_and_si256(low, two_bits), _mm256_and_si256(high, two_bits)}};
}
TENSORHUB_INLINE void pack2(Bytes a, std::uint8_t* to) {
  const __m256i moved = _mm256_sllv_epi32(_mm256_or_si256(a.v[0], _mm256_slli_epi32(a.v[1], 4)),
                                          _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_or_si128(low_half(moved), high_half(moved)));
}
TENSORHUB_INLINE Bytes unpack4(const std::uint8_t* from) {
  const __m256i both = load32(from), four_bits = _mm256_set1_epi8(15);
  return {{_mm256_and_si256(both, four_bits), _mm256_and_si256(_mm256_srli_epi16(both, 4), four_bits)}};
}
TENSORHUB_INLINE void pack4(Bytes a, std::uint8_t* to) {
  store32(to, _mm256_or_si256(a.v[0], _mm256_slli_epi16(a.v[1], 4)));
}
TENSORHUB_INLINE void store_16_pairs(std::uint8_t* to, __m256i low, __m256i high) {
  const __m256i a = _mm256_unpacklo_epi16(low, high), b = _mm256_unpackhi_epi16(low, high);
  store32(to, _mm256_permute2x128_si256(a, b, 0x20));
  store32(to + 32, _mm256_permute2x128_si256(a, b, 0x31));
}
TENSORHUB_INLINE void store_pairs(std::uint8_t* to, Words low, Words high) {
  store_16_pairs(to, low.v[0], high.v[0]);
  store_16_pairs(to + 64, low.v[1], high.v[1]);
  store_16_pairs(to + 128, low.v[2], high.v[2]);
  store_16_pairs(to + 192, low.v[3], high.v[3]);
}
TENSORHUB_INLINE void load_16_pairs(const std::uint8_t* from, __m256i& low, __m256i& high) {
  const __m256i a = load32(from), b = load32(from + 32), low_words = _mm256_set1_epi32(0xffff);
  low = in_order(_mm256_packus_epi32(_mm256_and_si256(a, low_words), _mm256_and_si256(b, low_words)));
  high = in_order(_mm256_packus_epi32(_mm256_srli_epi32(a, 16), _mm256_srli_epi32(b, 16)));
}
TENSORHUB_INLINE void load_pairs(const std::uint8_t* from, Words& low, Words& high) {
  load_16_pairs(from, low.v[0], high.v[0]);
  load_16_pairs(from + 64, low.v[1], high.v[1]);
  load_16_pairs(from + 128, low.v[2], high.v[2]);
  load_16_pairs(from + 192, low.v[3], high.v[3]);
}
