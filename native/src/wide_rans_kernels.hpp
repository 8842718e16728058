// Loops of the wide rANS, compiled once per path. See wide_rans.cpp.
//
// An entry of a decoding table: bits 0-7 the symbol, 8-19 its frequency less one, 20-31 the slot less its start.

#if TENSORHUB_LEVEL >= 3 && TENSORHUB_LEVEL <= 4
// One step of sixteen lanes; gives the new states, not yet renormalised.
inline __m512i wide_rans_step(const std::uint32_t* tables, __m512i x, const std::uint8_t* contexts, std::uint8_t* out) {
  __m512i index = _mm512_and_si512(x, _mm512_set1_epi32(4095));
  if (contexts) {
    const __m512i context = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(contexts)));
    index = _mm512_or_si512(index, _mm512_slli_epi32(context, 12));
  }
  const __m512i entry = _mm512_i32gather_epi32(index, tables, 4);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(entry));
  const __m512i frequency =
      _mm512_add_epi32(_mm512_and_si512(_mm512_srli_epi32(entry, 8), _mm512_set1_epi32(4095)), _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_mullo_epi32(_mm512_srli_epi32(x, 12), frequency), _mm512_srli_epi32(entry, 20));
}

inline __m512i wide_rans_refill(__m512i x, __mmask16 wanted, const std::uint8_t* from) {
  const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  return _mm512_mask_or_epi32(x, wanted, _mm512_slli_epi32(x, 16), _mm512_maskz_expand_epi32(wanted, words));
}
#endif

#if TENSORHUB_LEVEL >= 3 && TENSORHUB_LEVEL <= 4
// 16 K lanes in K registers: with two the chain of gather, product and refill leaves half of the core idle.
template <unsigned K>
inline bool wide_rans_decode_wide(const std::uint32_t* tables, std::uint32_t* states, const std::uint8_t* begin,
                                  const std::uint8_t*& words, const std::uint8_t* readable_end,
                                  const std::uint8_t* contexts, std::uint8_t* out, std::size_t steps) {
  const std::uint8_t* at = words;
  const __m512i least = _mm512_set1_epi32(0x10000);
  __m512i x[K];
  for (unsigned k = 0; k < K; ++k) x[k] = _mm512_loadu_si512(states + 16 * k);
  for (std::size_t step = 0; step < steps; ++step) {
    __mmask16 wanted[K];
    unsigned taken[K + 1] = {};
    for (unsigned k = 0; k < K; ++k) {
      const std::size_t value = 16 * (K * step + k);
      x[k] = wide_rans_step(tables, x[k], contexts ? contexts + value : nullptr, out + value);
      wanted[k] = _mm512_cmplt_epu32_mask(x[k], least);
      taken[k + 1] = taken[k] + 2 * static_cast<unsigned>(_mm_popcnt_u32(wanted[k]));
    }
    if (static_cast<std::size_t>(at - begin) < taken[K]) return false;
    at -= taken[K];
    const std::uint8_t* from = at;
    std::uint8_t some[32 * K + 32];
    if (static_cast<std::size_t>(readable_end - at) < 32 * K + 32) {
      std::memcpy(some, at, taken[K]);
      from = some;
    }
    for (unsigned k = 0; k < K; ++k) x[k] = wide_rans_refill(x[k], wanted[k], from + taken[k]);
  }
  for (unsigned k = 0; k < K; ++k) _mm512_storeu_si512(states + 16 * k, x[k]);
  words = at;
  return true;
}
#endif

// Decodes `steps` times `lanes` symbols; words are read from `words` down to `begin`. False where they run dry.
inline bool wide_rans_decode(const std::uint32_t* tables, std::uint32_t* states, std::size_t lanes,
                             const std::uint8_t* begin, const std::uint8_t*& words, const std::uint8_t* readable_end,
                             const std::uint8_t* contexts, std::uint8_t* out, std::size_t steps) {
  const std::uint8_t* at = words;
  std::size_t step = 0;
#if TENSORHUB_LEVEL >= 3 && TENSORHUB_LEVEL <= 4
  if (lanes == 64) return wide_rans_decode_wide<4>(tables, states, begin, words, readable_end, contexts, out, steps);
  if (lanes == 32) return wide_rans_decode_wide<2>(tables, states, begin, words, readable_end, contexts, out, steps);
#endif
  (void)readable_end;
  std::uint32_t x[64];
  std::memcpy(x, states, sizeof(x));
  for (; step < steps; ++step) {
    if (static_cast<std::size_t>(at - begin) < 2 * lanes) break;
    // Lanes from the last to the first, because the words are read downwards.
    for (std::size_t lane = lanes; lane-- > 0;) {
      const std::size_t value = step * lanes + lane;
      const std::uint32_t base = contexts ? std::uint32_t{contexts[value]} << 12 : 0;
      const std::uint32_t entry = tables[base | (x[lane] & 4095)];
      out[value] = static_cast<std::uint8_t>(entry);
      const std::uint32_t next = (x[lane] >> 12) * ((entry >> 8 & 4095) + 1) + (entry >> 20);
      const std::uint32_t wants = next < 0x10000;
      std::uint16_t word;
      std::memcpy(&word, at - 2, 2);
      at -= 2 * wants;
      // No branch: compilers that make one here lose half of the speed on dense data.
      x[lane] = next << (16 * wants) | (word & (0U - wants));
    }
  }
  for (; step < steps; ++step) {
    for (std::size_t lane = lanes; lane-- > 0;) {
      const std::size_t value = step * lanes + lane;
      const std::uint32_t base = contexts ? std::uint32_t{contexts[value]} << 12 : 0;
      const std::uint32_t entry = tables[base | (x[lane] & 4095)];
      out[value] = static_cast<std::uint8_t>(entry);
      x[lane] = (x[lane] >> 12) * ((entry >> 8 & 4095) + 1) + (entry >> 20);
      if (x[lane] < 0x10000) {
        if (at - begin < 2) return false;
        at -= 2;
        x[lane] = x[lane] << 16 | at[0] | static_cast<std::uint32_t>(at[1]) << 8;
      }
    }
  }
  std::memcpy(states, x, sizeof(x));
  words = at;
  return true;
}

// Codes `steps` times `lanes` symbols from the last step to the first, appending words to `to`.
// An entry of `inverses` is floor(2^32 / frequency), at most 2^32 - 1; of `ranges` frequency | start << 16.
inline void wide_rans_encode(const std::uint32_t* inverses, const std::uint32_t* ranges, std::uint32_t* states,
                             std::size_t lanes, const std::uint8_t* symbols, const std::uint8_t* contexts,
                             std::size_t steps, std::uint8_t*& to) {
#if TENSORHUB_LEVEL >= 3 && TENSORHUB_LEVEL <= 4
  if (lanes >= 32) {
    for (std::size_t step = steps; step-- > 0;) {
      // Lanes 0 to 15 are written first, so that the decoder, which reads the words of a step upwards, finds them so.
      for (std::size_t part = 0; part < lanes / 16; ++part) {
        const std::size_t value = lanes * step + 16 * part;
        __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + value)));
        if (contexts) {
          const __m512i context =
              _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(contexts + value)));
          index = _mm512_or_si512(index, _mm512_slli_epi32(context, 8));
        }
        __m512i x = _mm512_loadu_si512(states + 16 * part);
        const __m512i inverse = _mm512_i32gather_epi32(index, inverses, 4);
        const __m512i range = _mm512_i32gather_epi32(index, ranges, 4);
        const __m512i frequency = _mm512_and_si512(range, _mm512_set1_epi32(0xffff));
        const __mmask16 spills = _mm512_cmpge_epu32_mask(_mm512_srli_epi32(x, 20), frequency);
        const __m256i words = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(spills, x));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
        to += 2 * static_cast<unsigned>(_mm_popcnt_u32(spills));
        x = _mm512_mask_srli_epi32(x, spills, x, 16);
        const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(x, inverse), 32);
        const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(inverse, 32));
        __m512i quotient = _mm512_mask_mov_epi32(even, 0xaaaa, odd);
        __m512i rest = _mm512_sub_epi32(x, _mm512_mullo_epi32(quotient, frequency));
        const __mmask16 under = _mm512_cmpge_epu32_mask(rest, frequency);
        quotient = _mm512_mask_add_epi32(quotient, under, quotient, _mm512_set1_epi32(1));
        rest = _mm512_mask_sub_epi32(rest, under, rest, frequency);
        x = _mm512_add_epi32(_mm512_slli_epi32(quotient, 12), _mm512_add_epi32(rest, _mm512_srli_epi32(range, 16)));
        _mm512_storeu_si512(states + 16 * part, x);
      }
    }
    return;
  }
#endif
  for (std::size_t step = steps; step-- > 0;) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::size_t value = step * lanes + lane;
      const std::size_t index = symbols[value] | (contexts ? std::size_t{contexts[value]} << 8 : 0);
      const std::uint32_t frequency = ranges[index] & 0xffff, start = ranges[index] >> 16;
      std::uint32_t x = states[lane];
      const std::uint32_t spills = x >> 20 >= frequency;
      to[0] = static_cast<std::uint8_t>(x);
      to[1] = static_cast<std::uint8_t>(x >> 8);
      to += 2 * spills;
      x >>= 16 * spills;
      auto quotient = static_cast<std::uint32_t>(std::uint64_t{x} * inverses[index] >> 32);
      std::uint32_t rest = x - quotient * frequency;
      const std::uint32_t under = rest >= frequency;
      quotient += under;
      rest -= frequency & (0U - under);
      states[lane] = (quotient << 12) + rest + start;
    }
  }
}
