// Loops of the ULP deltas, compiled once per path. See ulp_elements.cpp; the simple ones are left to the compiler,
// which makes vectors of them.

// Elements in the order of their values: negative floats count downwards.
template <typename T, bool IsFloat>
TENSORHUB_INLINE T ulp_order(T x) {
  if constexpr (!IsFloat) return x;
  constexpr unsigned kSign = 8 * sizeof(T) - 1;
  constexpr T kMagnitude = static_cast<T>((T{1} << kSign) - 1);
  const T negative = static_cast<T>(T{0} - static_cast<T>(x >> kSign));  // all ones where the sign is set
  return static_cast<T>(x ^ (negative & kMagnitude));
}

template <typename T>
TENSORHUB_INLINE T ulp_fold(T difference) {
  constexpr unsigned kSign = 8 * sizeof(T) - 1;
  return static_cast<T>(static_cast<T>(difference << 1) ^ static_cast<T>(T{0} - static_cast<T>(difference >> kSign)));
}

template <typename T>
TENSORHUB_INLINE T ulp_unfold(T folded) {
  return static_cast<T>(static_cast<T>(folded >> 1) ^ static_cast<T>(T{0} - static_cast<T>(folded & 1)));
}

template <typename T>
TENSORHUB_INLINE T ulp_load(const std::uint8_t* from, std::size_t i) {
  T value;
  std::memcpy(&value, from + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T, bool IsFloat>
TENSORHUB_INLINE void ulp_folds(const std::uint8_t* target, const std::uint8_t* prediction, std::size_t n, T* folded) {
  for (std::size_t i = 0; i < n; ++i)
    folded[i] = ulp_fold<T>(static_cast<T>(ulp_order<T, IsFloat>(ulp_load<T>(target, i)) -
                                           ulp_order<T, IsFloat>(ulp_load<T>(prediction, i))));
}

template <typename T, bool IsFloat>
TENSORHUB_INLINE void ulp_apply(const std::uint8_t* prediction, const T* folded, std::size_t n, std::uint8_t* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const T value = static_cast<T>(ulp_order<T, IsFloat>(ulp_load<T>(prediction, i)) + ulp_unfold<T>(folded[i]));
    const T x = ulp_order<T, IsFloat>(value);  // its own inverse
    std::memcpy(out + i * sizeof(T), &x, sizeof(T));
  }
}

template <typename T>
TENSORHUB_INLINE void ulp_contexts(const std::uint8_t* prediction, std::size_t n, unsigned shift, std::uint64_t top,
                                   unsigned contexts, std::uint8_t* out) {
  constexpr T kMagnitude = static_cast<T>((T{1} << (8 * sizeof(T) - 1)) - 1);
  const T highest = static_cast<T>(top), last = static_cast<T>(contexts - 1);
  for (std::size_t i = 0; i < n; ++i) {
    const T magnitude = static_cast<T>((ulp_load<T>(prediction, i) & kMagnitude) >> shift);
    const T below = magnitude < highest ? static_cast<T>(highest - magnitude) : T{0};
    out[i] = static_cast<std::uint8_t>(below < last ? below : last);
  }
}

// Tokens of folded differences: below 16 the number itself, then one for each quarter of an octave.
template <typename T>
TENSORHUB_INLINE void ulp_tokens(const T* folded, std::size_t n, std::uint8_t* out) {
  if constexpr (sizeof(T) <= 2) {
    // A float's exponent and first two mantissa bits are the octave and its quarter.
    for (std::size_t i = 0; i < n; ++i) {
      const auto number = static_cast<std::int32_t>(folded[i]);
      const auto parts = std::bit_cast<std::uint32_t>(static_cast<float>(number));
      const std::uint32_t large = (parts >> 21) - ((127 + 4) * 4 - 16);
      out[i] = static_cast<std::uint8_t>(number < 16 ? static_cast<std::uint32_t>(number) : large);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t number = folded[i];
      const auto length = static_cast<unsigned>(64 - __builtin_clzll(number | 16));  // 5 or more
      const std::uint64_t large = 16 + (length - 5) * 4 + (number >> (length - 3) & 3);
      out[i] = static_cast<std::uint8_t>(number < 16 ? number : large);
    }
  }
}

// Which of 64 tokens are at least `limit` (a power of two or any number up to 255).
inline std::uint64_t ulp_at_least(const std::uint8_t* tokens, std::uint8_t limit) {
  const Bytes token = load(tokens), least = splat(limit);
  return bits(equal(lesser(token, least), least));
}

template <typename T>
TENSORHUB_INLINE void ulp_widen(const std::uint8_t* tokens, std::size_t n, T* folded) {
  for (std::size_t i = 0; i < n; ++i) folded[i] = tokens[i];
}

// -- the fast form: 16 tokens, 8 contexts, states of 16 bits ------------------------------------------------------

#if TENSORHUB_LEVEL == 4
TENSORHUB_INLINE Bytes lookup128(const std::uint8_t* table, Bytes index) {
  return {_mm512_permutex2var_epi8(_mm512_loadu_si512(table), index.v, _mm512_loadu_si512(table + 64))};
}
#endif

// Decodes `steps` times 64 `groups` tokens. Tables are indexed by 16 context + token; `slots` by 256 context + slot.
// The stream is read downwards; false where it runs dry.
#if TENSORHUB_LEVEL == 4
template <unsigned K>
inline bool ulp_fast_decode_groups(const UlpFastTables& tables, std::uint16_t* states, const std::uint8_t* begin,
                                   const std::uint8_t*& bytes, const std::uint8_t* readable_end,
                                   const std::uint8_t* contexts, std::uint8_t* out, std::size_t steps) {
  const Words least = splat_words(256);
  const Bytes lasts = load16(tables.lasts);
  const std::uint8_t* at = bytes;
  Words x[K];
  for (unsigned k = 0; k < K; ++k) x[k] = load_words(states + 64 * k);
  for (std::size_t step = 0; step < steps; ++step) {
    std::uint64_t wanted[K];
    unsigned taken[K + 1] = {};
    for (unsigned k = 0; k < K; ++k) {
      const std::size_t value = 64 * (K * step + k);
      const Bytes slots = narrow(x[k]);
      // Binary search among the starts of the context's tokens.
      const Bytes context = load(contexts + value);
      Bytes index = {_mm512_slli_epi16(context.v, 4)};  // contexts are below 8: no bit crosses a byte
      for (unsigned half = 8; half; half /= 2) {
        const Bytes further = add(index, splat(static_cast<std::uint8_t>(half)));
        const __mmask64 reached = _mm512_cmple_epu8_mask(lookup128(tables.starts, further).v, slots.v);
        index = {_mm512_mask_mov_epi8(index.v, reached, further.v)};
      }
      index = lesser(index, lookup16(lasts, context));
      store(out + value, bit_and(index, splat(15)));
      const Words frequency = widen(lookup128(tables.frequencies, index));
      const Words within = widen(sub(slots, lookup128(tables.starts, index)));
      x[k] = add(mul_low(shift_right<8>(x[k]), frequency), within);
      wanted[k] = less(x[k], least);
      taken[k + 1] = taken[k] + count(wanted[k]);
    }
    if (static_cast<std::size_t>(at - begin) < taken[K]) return false;
    at -= taken[K];
    const std::uint8_t* from = at;
    std::uint8_t some[64 * K + 64];
    if (static_cast<std::size_t>(readable_end - at) < 64 * K + 64) {
      std::memcpy(some, at, taken[K]);
      from = some;
    }
    for (unsigned k = 0; k < K; ++k)
      x[k] = choose_words(wanted[k], x[k], bit_or(shift_left<8>(x[k]), widen(expand(wanted[k], from + taken[k]))));
  }
  for (unsigned k = 0; k < K; ++k) store_words(states + 64 * k, x[k]);
  bytes = at;
  return true;
}
#endif

inline bool ulp_fast_decode(const UlpFastTables& tables, std::uint16_t* states, std::size_t groups,
                            const std::uint8_t* begin, const std::uint8_t*& bytes, const std::uint8_t* readable_end,
                            const std::uint8_t* contexts, std::uint8_t* out, std::size_t steps) {
#if TENSORHUB_LEVEL == 4
  return groups == 2 ? ulp_fast_decode_groups<2>(tables, states, begin, bytes, readable_end, contexts, out, steps)
                     : ulp_fast_decode_groups<1>(tables, states, begin, bytes, readable_end, contexts, out, steps);
#else
  (void)readable_end;
  const std::size_t lanes = 64 * groups;
  const std::uint8_t* at = bytes;
  for (std::size_t step = 0; step < steps; ++step) {
    if (static_cast<std::size_t>(at - begin) >= lanes) {
      for (std::size_t lane = lanes; lane-- > 0;) {
        const std::size_t value = step * lanes + lane;
        const std::uint32_t entry = tables.slots[contexts[value] << 8 | (states[lane] & 255)];
        out[value] = static_cast<std::uint8_t>(entry);
        const std::uint32_t x = (states[lane] >> 8) * (entry >> 8 & 255) + (entry >> 16);
        const std::uint32_t wants = x < 256;
        const std::uint32_t byte = at[-1];
        at -= wants;
        states[lane] = static_cast<std::uint16_t>(x << (8 * wants) | (byte & (0U - wants)));
      }
      continue;
    }
    for (std::size_t lane = lanes; lane-- > 0;) {
      const std::size_t value = step * lanes + lane;
      const std::uint32_t entry = tables.slots[contexts[value] << 8 | (states[lane] & 255)];
      out[value] = static_cast<std::uint8_t>(entry);
      std::uint32_t x = (states[lane] >> 8) * (entry >> 8 & 255) + (entry >> 16);
      if (x < 256) {
        if (at == begin) return false;
        x = x << 8 | *--at;
      }
      states[lane] = static_cast<std::uint16_t>(x);
    }
  }
  bytes = at;
  return true;
#endif
}

inline void ulp_fast_encode(const UlpFastTables& tables, std::uint16_t* states, std::size_t groups,
                            const std::uint8_t* tokens, const std::uint8_t* contexts, std::size_t steps,
                            std::uint8_t*& to) {
  for (std::size_t step = steps; step-- > 0;) {
    for (std::size_t group = 0; group < groups; ++group) {
      const std::size_t value = 64 * (groups * step + group);
#if TENSORHUB_LEVEL == 4
      const Bytes index = bit_or({_mm512_slli_epi16(load(contexts + value).v, 4)}, load(tokens + value));
      Words x = load_words(states + 64 * group);
      const Words frequency = widen(lookup128(tables.frequencies, index));
      const Words inverse = bit_or(widen(lookup128(tables.inverse_low, index)),
                                   shift_left<8>(widen(lookup128(tables.inverse_high, index))));
      const WordMask fits = less(shift_right<8>(x), frequency);
      const std::uint64_t spills = ~word_bits(fits);
      compress(spills, narrow(x), to);
      to += count(spills);
      x = choose_words(fits, shift_right<8>(x), x);
      Words quotient = mul_high(x, inverse);
      Words rest = sub(x, mul_low(quotient, frequency));
      const WordMask exact = less(rest, frequency);
      quotient = choose_words(exact, add(quotient, splat_words(1)), quotient);
      rest = choose_words(exact, sub(rest, frequency), rest);
      x = add(shift_left<8>(quotient), add(rest, widen(lookup128(tables.starts, index))));
      store_words(states + 64 * group, x);
#else
      for (std::size_t lane = 0; lane < 64; ++lane) {
        const std::size_t index = contexts[value + lane] << 4 | tokens[value + lane];
        const std::uint32_t frequency = tables.frequencies[index];
        const std::uint32_t inverse = tables.inverse_low[index] | static_cast<std::uint32_t>(tables.inverse_high[index])
                                                                      << 8;
        std::uint32_t x = states[64 * group + lane];
        const std::uint32_t spills = x >> 8 >= frequency;
        *to = static_cast<std::uint8_t>(x);
        to += spills;
        x >>= 8 * spills;
        std::uint32_t quotient = x * inverse >> 16, rest = x - quotient * frequency;
        const std::uint32_t under = rest >= frequency;
        quotient += under;
        rest -= frequency & (0U - under);
        states[64 * group + lane] = static_cast<std::uint16_t>((quotient << 8) + rest + tables.starts[index]);
      }
#endif
    }
  }
}

// Folded differences of 16 bits to tokens; those that a byte more can hold go to `shorts`. Writes 64 bytes at a time.
inline void ulp_fast_part(const std::uint16_t* folded, std::size_t steps, std::uint8_t* tokens, std::uint8_t*& shorts) {
  const Words first = splat_words(14);
  std::uint8_t* to = shorts;
  for (std::size_t step = 0; step < steps; ++step) {
    const Words number = load_words(folded + 64 * step);
    const WordMask direct = less(number, first), in_reach = less(number, splat_words(14 + 256));
    const Words token = choose_words(in_reach, splat_words(15), choose_words(direct, first, number));
    store(tokens + 64 * step, narrow(token));
    const std::uint64_t is_short = word_bits(in_reach) & ~word_bits(direct);
    compress(is_short, narrow(sub(number, first)), to);
    to += count(is_short);
  }
  shorts = to;
}

// Tokens back to folded differences, but for long escapes; gives how many short ones were taken. Reads 64 bytes more.
inline std::size_t ulp_fast_join(const std::uint8_t* tokens, const std::uint8_t* shorts, std::size_t steps,
                                 std::uint16_t* folded) {
  const std::uint8_t* from = shorts;
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes token = load(tokens + 64 * step);
    const std::uint64_t is_short = bits(equal(token, splat(14)));
    store_words(folded + 64 * step, add(widen(token), widen(expand(is_short, from))));
    from += count(is_short);
  }
  return static_cast<std::size_t>(from - shorts);
}

// Histogram of token in context, at counts[16 context + token]. Contexts are counted by comparing, and only tokens
// other than 0 one by one: in sparse differences there are few.
inline void ulp_fast_count(const std::uint8_t* tokens, const std::uint8_t* contexts, std::size_t steps,
                           std::uint32_t* counts) {
  std::uint32_t others[2][128] = {};
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes context = load(contexts + 64 * step);
    for (unsigned c = 0; c < 8; ++c) counts[16 * c] += count(bits(equal(context, splat(static_cast<std::uint8_t>(c)))));
    std::uint64_t changed = ~bits(equal(load(tokens + 64 * step), splat(0)));
    for (; changed; changed &= changed - 1) {
      const std::size_t i = 64 * step + static_cast<unsigned>(__builtin_ctzll(changed));
      ++others[i & 1][16U * contexts[i] | tokens[i]];
    }
  }
  for (unsigned c = 0; c < 8; ++c) {
    for (unsigned t = 1; t < 16; ++t) {
      const std::uint32_t some = others[0][16 * c + t] + others[1][16 * c + t];
      counts[16 * c + t] += some;
      counts[16 * c] -= some;
    }
  }
}

// Explicit forms, because templates cannot be chosen at run time.
#define TENSORHUB_ULP_FORMS(T, suffix)                                                                          \
  inline void ulp_folds_float_##suffix(const std::uint8_t* t, const std::uint8_t* p, std::size_t n, T* f) {     \
    ulp_folds<T, true>(t, p, n, f);                                                                             \
  }                                                                                                             \
  inline void ulp_folds_integer_##suffix(const std::uint8_t* t, const std::uint8_t* p, std::size_t n, T* f) {   \
    ulp_folds<T, false>(t, p, n, f);                                                                            \
  }                                                                                                             \
  inline void ulp_apply_float_##suffix(const std::uint8_t* p, const T* f, std::size_t n, std::uint8_t* out) {   \
    ulp_apply<T, true>(p, f, n, out);                                                                           \
  }                                                                                                             \
  inline void ulp_apply_integer_##suffix(const std::uint8_t* p, const T* f, std::size_t n, std::uint8_t* out) { \
    ulp_apply<T, false>(p, f, n, out);                                                                          \
  }                                                                                                             \
  inline void ulp_contexts_##suffix(const std::uint8_t* p, std::size_t n, unsigned shift, std::uint64_t top,    \
                                    unsigned contexts, std::uint8_t* out) {                                     \
    ulp_contexts<T>(p, n, shift, top, contexts, out);                                                           \
  }                                                                                                             \
  inline void ulp_tokens_##suffix(const T* f, std::size_t n, std::uint8_t* out) { ulp_tokens<T>(f, n, out); }   \
  inline void ulp_widen_##suffix(const std::uint8_t* tokens, std::size_t n, T* f) { ulp_widen<T>(tokens, n, f); }
TENSORHUB_ULP_FORMS(std::uint8_t, 8)
TENSORHUB_ULP_FORMS(std::uint16_t, 16)
TENSORHUB_ULP_FORMS(std::uint32_t, 32)
TENSORHUB_ULP_FORMS(std::uint64_t, 64)
#undef TENSORHUB_ULP_FORMS
