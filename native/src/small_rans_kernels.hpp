// Vector loops of the small-alphabet rANS, compiled once per path. See small_rans.cpp.

inline Bytes map256(const std::uint8_t* map, const Bytes& index) {
#if TENSORHUB_LEVEL == 4
  const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(map), index.v, _mm512_loadu_si512(map + 64));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(map + 128), index.v, _mm512_loadu_si512(map + 192));
  return {_mm512_mask_blend_epi8(_mm512_movepi8_mask(index.v), low, high)};
#else
  std::uint8_t buffer[64];
  store(buffer, index);
  for (unsigned i = 0; i < 64; ++i) buffer[i] = map[buffer[i]];
  return load(buffer);
#endif
}

// The rank whose interval holds each slot.
inline Bytes rank_of(const std::uint8_t* rank_of_slot, const Bytes& starts, const Bytes& slots) {
#if TENSORHUB_LEVEL == 4 || TENSORHUB_LEVEL == 0
  (void)starts;
  return map256(rank_of_slot, slots);
#else
  (void)rank_of_slot;
  Bytes rank = splat(0);
  for (unsigned step = 8; step; step /= 2) {
    const Bytes further = add(rank, splat(static_cast<std::uint8_t>(step)));
    const Bytes start = lookup16(starts, further);
    rank = choose_bytes(equal(lesser(start, slots), start), rank, further);  // start <= slot
  }
  return rank;
#endif
}

// One group of 64 lanes decodes one symbol each. False where the escapes run dry.
inline bool small_rans_step(const SmallRansTables& tables, const Bytes& symbols, const Bytes& frequencies,
                            const Bytes& starts, SmallRansStreams& streams, Words& x, std::uint8_t* out) {
  const Bytes slots = narrow(x);
  const Bytes rank = rank_of(tables.rank_of_slot, starts, slots);
  Bytes decoded = lookup16(symbols, rank);
  const std::uint64_t escaped = bits(equal(rank, splat(15)));
  if (escaped) {
    const unsigned taken = count(escaped);
    if (static_cast<std::size_t>(streams.escapes - streams.escapes_begin) < taken) return false;
    streams.escapes -= taken;
    std::uint8_t some[64] = {};
    std::memcpy(some, streams.escapes, taken);
    decoded = choose_bytes(byte_mask(escaped), decoded, expand(escaped, some));
  }
  store(out, decoded);
  const Words frequency = widen(lookup16(frequencies, rank));
  const Words within = widen(sub(slots, lookup16(starts, rank)));
  x = add(mul_low(shift_right<8>(x), frequency), within);
  return true;
}

// Decodes `steps` times 64 K symbols. The streams are read from their ends down; false where one runs dry.
template <unsigned K>
inline bool small_rans_decode_groups(const SmallRansTables& tables, SmallRansStreams& streams, std::uint8_t* out,
                                     std::size_t steps) {
  const Bytes symbols = load16(tables.symbols), frequencies = load16(tables.frequencies);
  const Bytes starts = load16(tables.starts);
  const Words least = splat_words(256);
  Words x[K];
  for (unsigned k = 0; k < K; ++k) x[k] = load_words(streams.states + 64 * k);
  const std::uint8_t* at = streams.bytes;
  for (std::size_t step = 0; step < steps; ++step) {
    WordMask low[K];
    std::uint64_t wanted[K];
    unsigned taken[K + 1] = {};
    for (unsigned k = 0; k < K; ++k) {
      if (!small_rans_step(tables, symbols, frequencies, starts, streams, x[k], out + 64 * (K * step + k)))
        return false;
      low[k] = less(x[k], least);
      wanted[k] = word_bits(low[k]);
      taken[k + 1] = taken[k] + count(wanted[k]);
    }
    if (static_cast<std::size_t>(at - streams.bytes_begin) < taken[K]) return false;
    at -= taken[K];
    const std::uint8_t* from = at;
    std::uint8_t some[64 * K + 64];
    if (static_cast<std::size_t>(streams.readable_end - at) < 64 * K + 64) {
      std::memcpy(some, at, taken[K]);
      from = some;
    }
    for (unsigned k = 0; k < K; ++k) {
      const Words next = widen(expand(wanted[k], from + taken[k]));
      x[k] = choose_words(low[k], x[k], bit_or(shift_left<8>(x[k]), next));
    }
  }
  for (unsigned k = 0; k < K; ++k) store_words(streams.states + 64 * k, x[k]);
  streams.bytes = at;
  return true;
}

inline bool small_rans_decode(const SmallRansTables& tables, SmallRansStreams& streams, std::uint8_t* out,
                              std::size_t groups, std::size_t steps) {
  return groups == 2 ? small_rans_decode_groups<2>(tables, streams, out, steps)
                     : small_rans_decode_groups<1>(tables, streams, out, steps);
}

// Codes 64 `groups` `steps` symbols from the last step to the first, appending to `bytes` and `escapes`.
inline void small_rans_encode(const SmallRansTables& tables, const std::uint8_t* symbols, std::size_t groups,
                              std::size_t steps, std::uint16_t* states, std::uint8_t*& bytes, std::uint8_t*& escapes) {
  const Bytes frequencies = load16(tables.frequencies), starts = load16(tables.starts), escape = splat(15);
  const Bytes inverse_low = load16(tables.inverse_low), inverse_high = load16(tables.inverse_high);
  std::uint8_t *to = bytes, *escapes_to = escapes;
  for (std::size_t step = steps; step-- > 0;) {
    // Escapes of a step are read downwards group by group, so that the last group's are written first; spilled
    // bytes are read for all groups at once, upwards.
    for (std::size_t group = groups; group-- > 0;) {
      const Bytes symbol = load(symbols + 64 * (groups * step + group));
      const std::uint64_t escaped = bits(equal(map256(tables.rank_of_symbol, symbol), escape));
      if (escaped) {
        compress(escaped, symbol, escapes_to);
        escapes_to += count(escaped);
      }
    }
    for (std::size_t group = 0; group < groups; ++group) {
      Words x = load_words(states + 64 * group);
      const Bytes rank = map256(tables.rank_of_symbol, load(symbols + 64 * (groups * step + group)));
      const Words frequency = widen(lookup16(frequencies, rank));
      const Words inverse =
          bit_or(widen(lookup16(inverse_low, rank)), shift_left<8>(widen(lookup16(inverse_high, rank))));
      const WordMask fits = less(shift_right<8>(x), frequency);
      const std::uint64_t spills = ~word_bits(fits);
      compress(spills, narrow(x), to);
      to += count(spills);
      x = choose_words(fits, shift_right<8>(x), x);
      // Division by the frequency: the reciprocal gives the quotient or one less.
      Words quotient = mul_high(x, inverse);
      Words rest = sub(x, mul_low(quotient, frequency));
      const WordMask exact = less(rest, frequency);
      quotient = choose_words(exact, add(quotient, splat_words(1)), quotient);
      rest = choose_words(exact, sub(rest, frequency), rest);
      x = add(shift_left<8>(quotient), add(rest, widen(lookup16(starts, rank))));
      store_words(states + 64 * group, x);
    }
  }
  bytes = to;
  escapes = escapes_to;
}
