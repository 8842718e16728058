// The vector operations on NEON (AArch64).
//
// Duty: see ops_portable.hpp, which defines every name. Lane 0 is the lowest of v[0]. Masks are lanes of all ones, so
// that a choice costs one select; bits() and byte_mask() go between them and integers.
// Invariant: little-endian, as every AArch64 that TensorHub builds for.
struct Bytes {
  uint8x16_t v[4];
};
struct Words {
  uint16x8_t v[8];
};
struct Mask {
  uint8x16_t v[4];
};
struct WordMask {
  uint16x8_t v[8];
};

TENSORHUB_INLINE uint16x8_t as_words(uint8x16_t v) { return vreinterpretq_u16_u8(v); }
TENSORHUB_INLINE uint8x16_t as_bytes(uint16x8_t v) { return vreinterpretq_u8_u16(v); }

TENSORHUB_INLINE Bytes load(const std::uint8_t* from) {
  return {{vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32), vld1q_u8(from + 48)}};
}
TENSORHUB_INLINE void store(std::uint8_t* to, Bytes a) {
  vst1q_u8(to, a.v[0]);
  vst1q_u8(to + 16, a.v[1]);
  vst1q_u8(to + 32, a.v[2]);
  vst1q_u8(to + 48, a.v[3]);
}
TENSORHUB_INLINE Bytes splat(std::uint8_t value) {
  const uint8x16_t v = vdupq_n_u8(value);
  return {{v, v, v, v}};
}
TENSORHUB_INLINE Bytes load16(const std::uint8_t* from) {
  const uint8x16_t v = vld1q_u8(from);
  return {{v, v, v, v}};
}
TENSORHUB_INLINE Words load_words(const std::uint16_t* from) {
  return {{vld1q_u16(from), vld1q_u16(from + 8), vld1q_u16(from + 16), vld1q_u16(from + 24), vld1q_u16(from + 32),
           vld1q_u16(from + 40), vld1q_u16(from + 48), vld1q_u16(from + 56)}};
}
TENSORHUB_INLINE void store_words(std::uint16_t* to, Words a) {
  vst1q_u16(to, a.v[0]);
  vst1q_u16(to + 8, a.v[1]);
  vst1q_u16(to + 16, a.v[2]);
  vst1q_u16(to + 24, a.v[3]);
  vst1q_u16(to + 32, a.v[4]);
  vst1q_u16(to + 40, a.v[5]);
  vst1q_u16(to + 48, a.v[6]);
  vst1q_u16(to + 56, a.v[7]);
}
TENSORHUB_INLINE Words splat_words(std::uint16_t value) {
  const uint16x8_t v = vdupq_n_u16(value);
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
#define TENSORHUB_WORD_MAP(Result, name, Argument, op)                                                         \
  TENSORHUB_INLINE Result name(Argument a) {                                                                   \
    return {{op(a.v[0]), op(a.v[1]), op(a.v[2]), op(a.v[3]), op(a.v[4]), op(a.v[5]), op(a.v[6]), op(a.v[7])}}; \
  }
TENSORHUB_INLINE uint16x8_t high_product(uint16x8_t a, uint16x8_t b) {
  const uint32x4_t low = vmull_u16(vget_low_u16(a), vget_low_u16(b)), high = vmull_high_u16(a, b);
  return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}
TENSORHUB_BYTE_OP(Bytes, bit_and, vandq_u8)
TENSORHUB_BYTE_OP(Bytes, bit_or, vorrq_u8)
TENSORHUB_BYTE_OP(Bytes, add, vaddq_u8)
TENSORHUB_BYTE_OP(Bytes, sub, vsubq_u8)
TENSORHUB_BYTE_OP(Bytes, lesser, vminq_u8)
TENSORHUB_BYTE_OP(Bytes, lookup16, vqtbl1q_u8)
TENSORHUB_BYTE_OP(Mask, equal, vceqq_u8)
TENSORHUB_WORD_OP(Words, bit_and, vandq_u16)
TENSORHUB_WORD_OP(Words, bit_or, vorrq_u16)
TENSORHUB_WORD_OP(Words, bit_xor, veorq_u16)
TENSORHUB_WORD_OP(Words, add, vaddq_u16)
TENSORHUB_WORD_OP(Words, sub, vsubq_u16)
TENSORHUB_WORD_OP(Words, lesser, vminq_u16)
TENSORHUB_WORD_OP(Words, sub_saturated, vqsubq_u16)
TENSORHUB_WORD_OP(Words, mul_low, vmulq_u16)
TENSORHUB_WORD_OP(Words, mul_high, high_product)
TENSORHUB_WORD_OP(WordMask, equal, vceqq_u16)
TENSORHUB_WORD_OP(WordMask, less, vcltq_u16)
// By a register of counts, which the compiler turns into the shift by a constant; the intrinsic for that takes no 0.
template <int N>
TENSORHUB_INLINE uint16x8_t shift_words(uint16x8_t a) {
  return vshlq_u16(a, vdupq_n_s16(N));
}
TENSORHUB_INLINE uint16x8_t sign_fill8(uint16x8_t a) {
  return vreinterpretq_u16_s16(vshrq_n_s16(vreinterpretq_s16_u16(a), 15));
}
template <int N>
TENSORHUB_WORD_MAP(Words, shift_left, Words, shift_words<N>)
template <int N>
TENSORHUB_WORD_MAP(Words, shift_right, Words, shift_words<-N>)
TENSORHUB_WORD_MAP(Words, sign_fill, Words, sign_fill8)
TENSORHUB_WORD_MAP(WordMask, word_mask_not, WordMask, vmvnq_u16)
#undef TENSORHUB_BYTE_OP
#undef TENSORHUB_WORD_OP
#undef TENSORHUB_WORD_MAP

TENSORHUB_INLINE uint8x16_t bit_of_lane() { return vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201)); }
// No movemask: each lane keeps its bit, and three rounds of adding neighbours bring eight lanes into one byte.
TENSORHUB_INLINE std::uint64_t bits(Mask m) {
  const uint8x16_t bit = bit_of_lane();
  const uint8x16_t low = vpaddq_u8(vandq_u8(m.v[0], bit), vandq_u8(m.v[1], bit));
  const uint8x16_t high = vpaddq_u8(vandq_u8(m.v[2], bit), vandq_u8(m.v[3], bit));
  const uint8x16_t pairs = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}
TENSORHUB_INLINE unsigned count(std::uint64_t bits) { return static_cast<unsigned>(__builtin_popcountll(bits)); }
TENSORHUB_INLINE Mask byte_mask(std::uint64_t bits) {
  const uint8x16_t all = vreinterpretq_u8_u64(vdupq_n_u64(bits)), bit = bit_of_lane();
  const uint8x16_t first = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1)), step = vdupq_n_u8(2);
  const uint8x16_t second = vaddq_u8(first, step), third = vaddq_u8(second, step), fourth = vaddq_u8(third, step);
  return {{vtstq_u8(vqtbl1q_u8(all, first), bit), vtstq_u8(vqtbl1q_u8(all, second), bit),
           vtstq_u8(vqtbl1q_u8(all, third), bit), vtstq_u8(vqtbl1q_u8(all, fourth), bit)}};
}
TENSORHUB_INLINE uint8x16_t narrow16(uint16x8_t a, uint16x8_t b) { return vuzp1q_u8(as_bytes(a), as_bytes(b)); }
TENSORHUB_INLINE std::uint64_t word_bits(WordMask m) {
  return bits(Mask{{narrow16(m.v[0], m.v[1]), narrow16(m.v[2], m.v[3]), narrow16(m.v[4], m.v[5]),
                    narrow16(m.v[6], m.v[7])}});
}
TENSORHUB_INLINE Bytes choose_bytes(Mask m, Bytes a, Bytes b) {
  return {{vbslq_u8(m.v[0], b.v[0], a.v[0]), vbslq_u8(m.v[1], b.v[1], a.v[1]), vbslq_u8(m.v[2], b.v[2], a.v[2]),
           vbslq_u8(m.v[3], b.v[3], a.v[3])}};
}
TENSORHUB_INLINE Words choose_words(WordMask m, Words a, Words b) {
  return {{vbslq_u16(m.v[0], b.v[0], a.v[0]), vbslq_u16(m.v[1], b.v[1], a.v[1]), vbslq_u16(m.v[2], b.v[2], a.v[2]),
           vbslq_u16(m.v[3], b.v[3], a.v[3]), vbslq_u16(m.v[4], b.v[4], a.v[4]), vbslq_u16(m.v[5], b.v[5], a.v[5]),
           vbslq_u16(m.v[6], b.v[6], a.v[6]), vbslq_u16(m.v[7], b.v[7], a.v[7])}};
}

TENSORHUB_INLINE uint8x16_t load_eights(const std::uint8_t* low, const std::uint8_t* high) {
  return vcombine_u8(vld1_u8(low), vld1_u8(high));
}
// The shuffle of lanes 16 k and up out of a table: two eights, of which the upper one counts from 8.
TENSORHUB_INLINE uint8x16_t shuffle_of(const shuffles::Table& table, std::uint64_t bits, unsigned k) {
  const uint8x16_t eights = load_eights(table.at[bits >> 16 * k & 0xff], table.at[bits >> (16 * k + 8) & 0xff]);
  return vorrq_u8(eights, vcombine_u8(vdup_n_u8(0), vdup_n_u8(8)));
}
// Byte k: how many bits are set in the bytes below it; the product adds them up, and no sum is above 56.
TENSORHUB_INLINE std::uint64_t set_before(std::uint64_t bits) {
  return vget_lane_u64(vreinterpret_u64_u8(vcnt_u8(vcreate_u8(bits))), 0) * 0x0101010101010100;
}
TENSORHUB_INLINE unsigned byte_of(std::uint64_t bytes, unsigned k) {
  return static_cast<unsigned>(bytes >> 8 * k & 0xff);
}
// Each eight takes 8 bytes from where it starts, so nothing is read after 64 bytes.
TENSORHUB_INLINE uint8x16_t expand16(std::uint64_t bits, std::uint64_t starts, const std::uint8_t* from, unsigned k) {
  const uint8x16_t taken = load_eights(from + byte_of(starts, 2 * k), from + byte_of(starts, 2 * k + 1));
  return vqtbl1q_u8(taken, shuffle_of(shuffles::kExpand, bits, k));
}
TENSORHUB_INLINE Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  const std::uint64_t starts = set_before(bits);
  return {{expand16(bits, starts, from, 0), expand16(bits, starts, from, 1), expand16(bits, starts, from, 2),
           expand16(bits, starts, from, 3)}};
}
TENSORHUB_INLINE void compress16(std::uint64_t bits, std::uint64_t starts, uint8x16_t v, std::uint8_t* to, unsigned k) {
  const uint8x16_t packed = vqtbl1q_u8(v, shuffle_of(shuffles::kCompress, bits, k));
  vst1_u8(to + byte_of(starts, 2 * k), vget_low_u8(packed));
  vst1_u8(to + byte_of(starts, 2 * k + 1), vget_high_u8(packed));
}
TENSORHUB_INLINE void compress(std::uint64_t bits, Bytes a, std::uint8_t* to) {
  const std::uint64_t starts = set_before(bits);
  compress16(bits, starts, a.v[0], to, 0);
  compress16(bits, starts, a.v[1], to, 1);
  compress16(bits, starts, a.v[2], to, 2);
  compress16(bits, starts, a.v[3], to, 3);
}

TENSORHUB_INLINE uint16x8_t widen_low(uint8x16_t a) { return vmovl_u8(vget_low_u8(a)); }
TENSORHUB_INLINE Words widen(Bytes a) {
  return {{widen_low(a.v[0]), vmovl_high_u8(a.v[0]), widen_low(a.v[1]), vmovl_high_u8(a.v[1]), widen_low(a.v[2]),
           vmovl_high_u8(a.v[2]), widen_low(a.v[3]), vmovl_high_u8(a.v[3])}};
}
TENSORHUB_INLINE Bytes narrow(Words a) {
  return {{narrow16(a.v[0], a.v[1]), narrow16(a.v[2], a.v[3]), narrow16(a.v[4], a.v[5]), narrow16(a.v[6], a.v[7])}};
}

TENSORHUB_INLINE Bytes unpack2(const std::uint8_t* from) {
  const uint8x16_t four = vld1q_u8(from), two_bits = vdupq_n_u8(3);
  return {{vandq_u8(four, two_bits), vandq_u8(vshrq_n_u8(four, 2), two_bits),
           vandq_u8(vshrq_n_u8(four, 4), two_bits), vshrq_n_u8(four, 6)}};
}
TENSORHUB_INLINE void pack2(Bytes a, std::uint8_t* to) {
  const uint8x16_t even = vorrq_u8(a.v[0], vshlq_n_u8(a.v[2], 4)), odd = vorrq_u8(a.v[1], vshlq_n_u8(a.v[3], 4));
  vst1q_u8(to, vorrq_u8(even, vshlq_n_u8(odd, 2)));
}
TENSORHUB_INLINE Bytes unpack4(const std::uint8_t* from) {
  const uint8x16_t low = vld1q_u8(from), high = vld1q_u8(from + 16), four_bits = vdupq_n_u8(15);
  return {{vandq_u8(low, four_bits), vandq_u8(high, four_bits), vshrq_n_u8(low, 4), vshrq_n_u8(high, 4)}};
}
TENSORHUB_INLINE void pack4(Bytes a, std::uint8_t* to) {
  vst1q_u8(to, vorrq_u8(a.v[0], vshlq_n_u8(a.v[2], 4)));
  vst1q_u8(to + 16, vorrq_u8(a.v[1], vshlq_n_u8(a.v[3], 4)));
}
// As bytes: the address need not be even.
#define TENSORHUB_EACH_WORDS(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)
TENSORHUB_INLINE void store_pairs(std::uint8_t* to, Words low, Words high) {
#define TENSORHUB_STORE(k)                                          \
  vst1q_u8(to + 32 * k, as_bytes(vzip1q_u16(low.v[k], high.v[k]))); \
  vst1q_u8(to + 32 * k + 16, as_bytes(vzip2q_u16(low.v[k], high.v[k])));
  TENSORHUB_EACH_WORDS(TENSORHUB_STORE)
#undef TENSORHUB_STORE
}
TENSORHUB_INLINE void load_8_pairs(const std::uint8_t* from, uint16x8_t& low, uint16x8_t& high) {
  const uint16x8_t a = as_words(vld1q_u8(from)), b = as_words(vld1q_u8(from + 16));
  low = vuzp1q_u16(a, b);
  high = vuzp2q_u16(a, b);
}
TENSORHUB_INLINE void load_pairs(const std::uint8_t* from, Words& low, Words& high) {
#define TENSORHUB_LOAD(k) load_8_pairs(from + 32 * k, low.v[k], high.v[k]);
  TENSORHUB_EACH_WORDS(TENSORHUB_LOAD)
#undef TENSORHUB_LOAD
}
#undef TENSORHUB_EACH_WORDS
