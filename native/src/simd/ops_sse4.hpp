// The vector operations on SSE4.1 (with SSSE3 and POPCNT).
//
// Duty: see ops_portable.hpp, which defines every name. Lane 0 is the lowest of v[0]. Masks are lanes of all ones, so
// that a choice costs one blend; bits() and byte_mask() go between them and integers.
struct Bytes {
  __m128i v[4];
};
struct Words {
  __m128i v[8];
};
struct Mask {
  __m128i v[4];
};
struct WordMask {
  __m128i v[8];
};

TENSORHUB_INLINE __m128i get128(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
TENSORHUB_INLINE void put128(void* to, __m128i v) { _mm_storeu_si128(static_cast<__m128i*>(to), v); }

TENSORHUB_INLINE Bytes load(const std::uint8_t* from) {
  return {{get128(from), get128(from + 16), get128(from + 32), get128(from + 48)}};
}
TENSORHUB_INLINE void store(std::uint8_t* to, Bytes a) {
  put128(to, a.v[0]);
  put128(to + 16, a.v[1]);
  put128(to + 32, a.v[2]);
  put128(to + 48, a.v[3]);
}
TENSORHUB_INLINE Bytes splat(std::uint8_t value) {
  const __m128i v = _mm_set1_epi8(static_cast<char>(value));
  return {{v, v, v, v}};
}
TENSORHUB_INLINE Bytes load16(const std::uint8_t* from) {
  const __m128i v = get128(from);
  return {{v, v, v, v}};
}
TENSORHUB_INLINE Words load_words(const std::uint16_t* from) {
  return {{get128(from), get128(from + 8), get128(from + 16), get128(from + 24), get128(from + 32), get128(from + 40),
           get128(from + 48), get128(from + 56)}};
}
TENSORHUB_INLINE void store_words(std::uint16_t* to, Words a) {
  put128(to, a.v[0]);
  put128(to + 8, a.v[1]);
  put128(to + 16, a.v[2]);
  put128(to + 24, a.v[3]);
  put128(to + 32, a.v[4]);
  put128(to + 40, a.v[5]);
  put128(to + 48, a.v[6]);
  put128(to + 56, a.v[7]);
}
TENSORHUB_INLINE Words splat_words(std::uint16_t value) {
  const __m128i v = _mm_set1_epi16(static_cast<short>(value));
  return {{v, v, v, v, v, v, v, v}};
}

#define TENSORHUB_BYTE_OP(Result, name, op)                                                    \
  TENSORHUB_INLINE Result name(Bytes a, Bytes b) {                                             \
    return {{op(a.v[0], b.v[0]), op(a.v[1], b.v[1]), op(a.v[2], b.v[2]), op(a.v[3], b.v[3])}}; \
  }
#define TENSORHUB_WORD_OP(Result, name, op)                                                    \
  TENSORHUB_INLINE Result name(Words a, Words b) {                                             \
    return {{op(a.v[0], b.v[0]), op(a.v[1], b.v[1]), op(a.v[2], b.v[2]), op(a.v[3], b.v[3]),   \
             op(a.v[4], b.v[4]), op(a.v[5], b.v[5]), op(a.v[6], b.v[6]), op(a.v[7], b.v[7])}}; \
  }
#define TENSORHUB_WORD_SHIFT(name, op, n)                                                      \
  TENSORHUB_INLINE Words name(Words a) {                                                       \
    return {{op(a.v[0], n), op(a.v[1], n), op(a.v[2], n), op(a.v[3], n),                       \
             op(a.v[4], n), op(a.v[5], n), op(a.v[6], n), op(a.v[7], n)}};                     \
  }
TENSORHUB_BYTE_OP(Bytes, bit_and, _mm_and_si128)
TENSORHUB_BYTE_OP(Bytes, bit_or, _mm_or_si128)
TENSORHUB_BYTE_OP(Bytes, add, _mm_add_epi8)
TENSORHUB_BYTE_OP(Bytes, sub, _mm_sub_epi8)
TENSORHUB_BYTE_OP(Bytes, lesser, _mm_min_epu8)
TENSORHUB_BYTE_OP(Bytes, lookup16, _mm_shuffle_epi8)
TENSORHUB_BYTE_OP(Mask, equal, _mm_cmpeq_epi8)
TENSORHUB_WORD_OP(Words, bit_and, _mm_and_si128)
TENSORHUB_WORD_OP(Words, bit_or, _mm_or_si128)
TENSORHUB_WORD_OP(Words, bit_xor, _mm_xor_si128)
TENSORHUB_WORD_OP(Words, add, _mm_add_epi16)
TENSORHUB_WORD_OP(Words, sub, _mm_sub_epi16)
TENSORHUB_WORD_OP(Words, lesser, _mm_min_epu16)
TENSORHUB_WORD_OP(Words, sub_saturated, _mm_subs_epu16)
TENSORHUB_WORD_OP(Words, mul_low, _mm_mullo_epi16)
TENSORHUB_WORD_OP(Words, mul_high, _mm_mulhi_epu16)
TENSORHUB_WORD_OP(WordMask, equal, _mm_cmpeq_epi16)
// The comparison at hand is of signed words; flipping the top bits keeps the order of unsigned ones.
TENSORHUB_INLINE __m128i less16(__m128i a, __m128i b) {
  const __m128i top = _mm_set1_epi16(-0x8000);
  return _mm_cmplt_epi16(_mm_xor_si128(a, top), _mm_xor_si128(b, top));
}
TENSORHUB_WORD_OP(WordMask, less, less16)
template <int N>
TENSORHUB_WORD_SHIFT(shift_left, _mm_slli_epi16, N)
template <int N>
TENSORHUB_WORD_SHIFT(shift_right, _mm_srli_epi16, N)
TENSORHUB_WORD_SHIFT(sign_fill, _mm_srai_epi16, 15)
#undef TENSORHUB_BYTE_OP
#undef TENSORHUB_WORD_OP
#undef TENSORHUB_WORD_SHIFT

TENSORHUB_INLINE std::uint64_t bits16(__m128i m) { return static_cast<std::uint32_t>(_mm_movemask_epi8(m)); }
TENSORHUB_INLINE std::uint64_t bits(Mask m) {
  return bits16(m.v[0]) | bits16(m.v[1]) << 16 | bits16(m.v[2]) << 32 | bits16(m.v[3]) << 48;
}
TENSORHUB_INLINE unsigned count(std::uint64_t bits) { return static_cast<unsigned>(_mm_popcnt_u64(bits)); }
TENSORHUB_INLINE __m128i byte_mask16(std::uint64_t bits) {
  const __m128i byte_of_lane = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const __m128i bit_of_lane = _mm_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m128i spread = _mm_shuffle_epi8(_mm_cvtsi64_si128(static_cast<long long>(bits)), byte_of_lane);
  return _mm_cmpeq_epi8(_mm_and_si128(spread, bit_of_lane), bit_of_lane);
}
TENSORHUB_INLINE Mask byte_mask(std::uint64_t bits) {
  return {{byte_mask16(bits), byte_mask16(bits >> 16), byte_mask16(bits >> 32), byte_mask16(bits >> 48)}};
}
TENSORHUB_INLINE std::uint64_t word_bits(WordMask m) {
  return bits(Mask{{_mm_packs_epi16(m.v[0], m.v[1]), _mm_packs_epi16(m.v[2], m.v[3]),
                    _mm_packs_epi16(m.v[4], m.v[5]), _mm_packs_epi16(m.v[6], m.v[7])}});
}
TENSORHUB_INLINE __m128i bit_not(__m128i v) { return _mm_xor_si128(v, _mm_set1_epi8(-1)); }
TENSORHUB_INLINE WordMask word_mask_not(WordMask m) {
  return {{bit_not(m.v[0]), bit_not(m.v[1]), bit_not(m.v[2]), bit_not(m.v[3]), bit_not(m.v[4]), bit_not(m.v[5]),
           bit_not(m.v[6]), bit_not(m.v[7])}};
}
TENSORHUB_INLINE Bytes choose_bytes(Mask m, Bytes a, Bytes b) {
  return {{_mm_blendv_epi8(a.v[0], b.v[0], m.v[0]), _mm_blendv_epi8(a.v[1], b.v[1], m.v[1]),
           _mm_blendv_epi8(a.v[2], b.v[2], m.v[2]), _mm_blendv_epi8(a.v[3], b.v[3], m.v[3])}};
}
TENSORHUB_INLINE Words choose_words(WordMask m, Words a, Words b) {
  return {{_mm_blendv_epi8(a.v[0], b.v[0], m.v[0]), _mm_blendv_epi8(a.v[1], b.v[1], m.v[1]),
           _mm_blendv_epi8(a.v[2], b.v[2], m.v[2]), _mm_blendv_epi8(a.v[3], b.v[3], m.v[3]),
           _mm_blendv_epi8(a.v[4], b.v[4], m.v[4]), _mm_blendv_epi8(a.v[5], b.v[5], m.v[5]),
           _mm_blendv_epi8(a.v[6], b.v[6], m.v[6]), _mm_blendv_epi8(a.v[7], b.v[7], m.v[7])}};
}

TENSORHUB_INLINE __m128i load_eights(const std::uint8_t* low, const std::uint8_t* high) {
  std::uint64_t a, b;
  std::memcpy(&a, low, 8);
  std::memcpy(&b, high, 8);
  return _mm_set_epi64x(static_cast<long long>(b), static_cast<long long>(a));
}
// The shuffle of 16 lanes out of a table: two eights, of which the upper one counts from 8.
TENSORHUB_INLINE __m128i shuffle_of(const shuffles::Table& table, unsigned bits) {
  return _mm_or_si128(load_eights(table.at[bits & 0xff], table.at[bits >> 8]), _mm_set_epi64x(0x0808080808080808, 0));
}
// Moves `from` on. Each eight takes 8 bytes from where it starts, so nothing is read after 64 bytes in all.
TENSORHUB_INLINE __m128i expand16(unsigned bits, const std::uint8_t*& from) {
  const std::uint8_t* second = from + _mm_popcnt_u32(bits & 0xff);
  const __m128i taken = load_eights(from, second);
  from += _mm_popcnt_u32(bits);
  return _mm_shuffle_epi8(taken, shuffle_of(shuffles::kExpand, bits));
}
TENSORHUB_INLINE Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  Bytes a;
  a.v[0] = expand16(static_cast<unsigned>(bits & 0xffff), from);
  a.v[1] = expand16(static_cast<unsigned>(bits >> 16 & 0xffff), from);
  a.v[2] = expand16(static_cast<unsigned>(bits >> 32 & 0xffff), from);
  a.v[3] = expand16(static_cast<unsigned>(bits >> 48), from);
  return a;
}
TENSORHUB_INLINE void compress16(unsigned bits, __m128i v, std::uint8_t*& to) {
  const __m128i packed = _mm_shuffle_epi8(v, shuffle_of(shuffles::kCompress, bits));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), packed);
  _mm_storeh_pi(reinterpret_cast<__m64*>(to + _mm_popcnt_u32(bits & 0xff)), _mm_castsi128_ps(packed));
  to += _mm_popcnt_u32(bits);
}
TENSORHUB_INLINE void compress(std::uint64_t bits, Bytes a, std::uint8_t* to) {
  compress16(static_cast<unsigned>(bits & 0xffff), a.v[0], to);
  compress16(static_cast<unsigned>(bits >> 16 & 0xffff), a.v[1], to);
  compress16(static_cast<unsigned>(bits >> 32 & 0xffff), a.v[2], to);
  compress16(static_cast<unsigned>(bits >> 48), a.v[3], to);
}

TENSORHUB_INLINE __m128i widen_low(__m128i a) { return _mm_unpacklo_epi8(a, _mm_setzero_si128()); }
TENSORHUB_INLINE __m128i widen_high(__m128i a) { return _mm_unpackhi_epi8(a, _mm_setzero_si128()); }
TENSORHUB_INLINE Words widen(Bytes a) {
  return {{widen_low(a.v[0]), widen_high(a.v[0]), widen_low(a.v[1]), widen_high(a.v[1]), widen_low(a.v[2]),
           widen_high(a.v[2]), widen_low(a.v[3]), widen_high(a.v[3])}};
}
TENSORHUB_INLINE __m128i narrow16(__m128i a, __m128i b) {
  const __m128i low_bytes = _mm_set1_epi16(0x00ff);  // else the pack would saturate
  return _mm_packus_epi16(_mm_and_si128(a, low_bytes), _mm_and_si128(b, low_bytes));
}
TENSORHUB_INLINE Bytes narrow(Words a) {
  return {{narrow16(a.v[0], a.v[1]), narrow16(a.v[2], a.v[3]), narrow16(a.v[4], a.v[5]), narrow16(a.v[6], a.v[7])}};
}

TENSORHUB_INLINE Bytes unpack2(const std::uint8_t* from) {
  const __m128i four = get128(from), two_bits = _mm_set1_epi8(3);
  return {{_mm_and_si128(four, two_bits), _mm_and_si128(_mm_srli_epi16(four, 2), two_bits),
           _mm_and_si128(_mm_srli_epi16(four, 4), two_bits), _mm_and_si128(_mm_srli_epi16(four, 6), two_bits)}};
}
TENSORHUB_INLINE void pack2(Bytes a, std::uint8_t* to) {
  const __m128i even = _mm_or_si128(a.v[0], _mm_slli_epi16(a.v[2], 4));
  const __m128i odd = _mm_or_si128(a.v[1], _mm_slli_epi16(a.v[3], 4));
  put128(to, _mm_or_si128(even, _mm_slli_epi16(odd, 2)));
}
TENSORHUB_INLINE Bytes unpack4(const std::uint8_t* from) {
  const __m128i low = get128(from), high = get128(from + 16), four_bits = _mm_set1_epi8(15);
  return {{_mm_and_si128(low, four_bits), _mm_and_si128(high, four_bits),
           _mm_and_si128(_mm_srli_epi16(low, 4), four_bits), _mm_and_si128(_mm_srli_epi16(high, 4), four_bits)}};
}
TENSORHUB_INLINE void pack4(Bytes a, std::uint8_t* to) {
  put128(to, _mm_or_si128(a.v[0], _mm_slli_epi16(a.v[2], 4)));
  put128(to + 16, _mm_or_si128(a.v[1], _mm_slli_epi16(a.v[3], 4)));
}
// By constant indices, not loops: GCC keeps arrays in registers only where it sees every index early.
#define TENSORHUB_EACH_WORDS(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)
TENSORHUB_INLINE void store_pairs(std::uint8_t* to, Words low, Words high) {
#define TENSORHUB_STORE(k)                                      \
  put128(to + 32 * k, _mm_unpacklo_epi16(low.v[k], high.v[k])); \
  put128(to + 32 * k + 16, _mm_unpackhi_epi16(low.v[k], high.v[k]));
  TENSORHUB_EACH_WORDS(TENSORHUB_STORE)
#undef TENSORHUB_STORE
}
TENSORHUB_INLINE void load_8_pairs(const std::uint8_t* from, __m128i& low, __m128i& high) {
  const __m128i a = get128(from), b = get128(from + 16), low_words = _mm_set1_epi32(0xffff);
  low = _mm_packus_epi32(_mm_and_si128(a, low_words), _mm_and_si128(b, low_words));
  high = _mm_packus_epi32(_mm_srli_epi32(a, 16), _mm_srli_epi32(b, 16));
}
TENSORHUB_INLINE void load_pairs(const std::uint8_t* from, Words& low, Words& high) {
#define TENSORHUB_LOAD(k) load_8_pairs(from + 32 * k, low.v[k], high.v[k]);
  TENSORHUB_EACH_WORDS(TENSORHUB_LOAD)
#undef TENSORHUB_LOAD
}
#undef TENSORHUB_EACH_WORDS
