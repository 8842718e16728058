// Splitting and merging of planes, compiled once per path. See planes_codec.cpp.
//
// `moved`: the top plane holds bits 14 to 7 of the upper word (the exponent of BF16 and F32), the plane below its
// sign and bits 6 to 0.

#if TENSORHUB_LEVEL == 4
// Bytes to words, `even` first: one shuffle of two registers for each half.
TENSORHUB_INLINE Words planes_interleave(Bytes even, Bytes odd) {
  alignas(64) static constexpr auto kOrder = [] {
    std::array<std::uint8_t, 128> order{};
    for (unsigned i = 0; i < 128; ++i) order[i] = static_cast<std::uint8_t>(i / 2 + (i % 2 ? 64 : 0));
    return order;
  }();
  const __m512i first = _mm512_load_si512(kOrder.data()), second = _mm512_load_si512(kOrder.data() + 64);
  return {_mm512_permutex2var_epi8(even.v, first, odd.v), _mm512_permutex2var_epi8(even.v, second, odd.v)};
}

TENSORHUB_INLINE Words planes_join(const Bytes& low, const Bytes& high, bool moved) {
  if (!moved) return planes_interleave(low, high);
  // The lowest exponent bit beside seven mantissa bits, the sign beside seven exponent bits; 0xca: a ? b : c.
  const __m512i top = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i even = _mm512_ternarylogic_epi64(top, _mm512_slli_epi16(high.v, 7), low.v, 0xca);
  const __m512i odd = _mm512_ternarylogic_epi64(top, low.v, _mm512_srli_epi16(high.v, 1), 0xca);
  return planes_interleave({even}, {odd});
}
#else
inline Words planes_join(const Bytes& low, const Bytes& high, bool moved) {
  const Words a = widen(low), b = widen(high);
  if (!moved) return bit_or(a, shift_left<8>(b));
  const Words sign = shift_left<8>(bit_and(a, splat_words(0x80)));
  return bit_or(bit_or(bit_and(a, splat_words(0x7f)), shift_left<7>(b)), sign);
}
#endif

inline void planes_part(const Words& words, bool moved, Bytes& low, Bytes& high) {
  if (!moved) {
    low = narrow(words);
    high = narrow(shift_right<8>(words));
    return;
  }
  high = narrow(shift_right<7>(words));
  low = narrow(bit_or(bit_and(words, splat_words(0x7f)), bit_and(shift_right<8>(words), splat_words(0x80))));
}

// Streams of noise lie in the coded bytes and are read once, a page a tile, which hardware does not foresee: asking
// for the next tile made decoding of coded bytes that no cache held a tenth faster.
constexpr std::size_t kPlanesAhead = 4096;

inline void planes_merge2(const std::uint8_t* const* planes, bool moved, std::uint8_t* out, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    __builtin_prefetch(planes[0] + 64 * step + kPlanesAhead);
    const Words words = planes_join(load(planes[0] + 64 * step), load(planes[1] + 64 * step), moved);
    std::uint16_t buffer[64];
    store_words(buffer, words);
    std::memcpy(out + 128 * step, buffer, 128);
  }
}

inline void planes_merge4(const std::uint8_t* const* planes, bool moved, std::uint8_t* out, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    for (unsigned k = 0; k < 3; ++k) __builtin_prefetch(planes[k] + 64 * step + kPlanesAhead);
    const Words low = planes_join(load(planes[0] + 64 * step), load(planes[1] + 64 * step), false);
    const Words high = planes_join(load(planes[2] + 64 * step), load(planes[3] + 64 * step), moved);
    store_pairs(out + 256 * step, low, high);
  }
}

inline void planes_split2(const std::uint8_t* from, bool moved, std::uint8_t* const* planes, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    std::uint16_t buffer[64];
    std::memcpy(buffer, from + 128 * step, 128);
    Bytes low, high;
    planes_part(load_words(buffer), moved, low, high);
    store(planes[0] + 64 * step, low);
    store(planes[1] + 64 * step, high);
  }
}

inline void planes_split4(const std::uint8_t* from, bool moved, std::uint8_t* const* planes, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    Words lower, upper;
    load_pairs(from + 256 * step, lower, upper);
    Bytes a, b, c, d;
    planes_part(lower, false, a, b);
    planes_part(upper, moved, c, d);
    store(planes[0] + 64 * step, a);
    store(planes[1] + 64 * step, b);
    store(planes[2] + 64 * step, c);
    store(planes[3] + 64 * step, d);
  }
}

// Elements of 8 bytes are two of 4: lower and upper halves go through buffers that stay in the first-level cache.
inline void planes_merge8(const std::uint8_t* const* planes, bool moved, std::uint8_t* out, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    const std::uint8_t* at[8];
    for (unsigned k = 0; k < 8; ++k) at[k] = planes[k] + 64 * step;
    std::uint32_t halves[2][64], pairs[128];
    planes_merge4(at, false, reinterpret_cast<std::uint8_t*>(halves[0]), 1);
    planes_merge4(at + 4, moved, reinterpret_cast<std::uint8_t*>(halves[1]), 1);
    for (unsigned i = 0; i < 64; ++i) {
      pairs[2 * i] = halves[0][i];
      pairs[2 * i + 1] = halves[1][i];
    }
    std::memcpy(out + 512 * step, pairs, 512);
  }
}

inline void planes_split8(const std::uint8_t* from, bool moved, std::uint8_t* const* planes, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    std::uint8_t* at[8];
    for (unsigned k = 0; k < 8; ++k) at[k] = planes[k] + 64 * step;
    std::uint32_t halves[2][64], pairs[128];
    std::memcpy(pairs, from + 512 * step, 512);
    for (unsigned i = 0; i < 64; ++i) {
      halves[0][i] = pairs[2 * i];
      halves[1][i] = pairs[2 * i + 1];
    }
    planes_split4(reinterpret_cast<const std::uint8_t*>(halves[0]), false, at, 1);
    planes_split4(reinterpret_cast<const std::uint8_t*>(halves[1]), moved, at + 4, 1);
  }
}
