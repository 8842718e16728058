// The vector operations in plain C++: the definition of what every other ops_*.hpp does, and the path of
// processors without one of them.
//
// Duty: 64 logical byte lanes (Bytes) or 64 lanes of 16 bits (Words), by loops. Not its duty: speed.
// Invariant: included inside a namespace of its own by for_each_level.hpp; each other ops file has the same
// names with the same results for all inputs.
struct Bytes {
  std::uint8_t at[64];
};
struct Words {
  std::uint16_t at[64];
};
using Mask = std::uint64_t;      // one bit a byte lane, lane 0 lowest
using WordMask = std::uint64_t;  // one bit a word lane

#define TENSORHUB_LANES(i) for (unsigned i = 0; i < 64; ++i)

inline Bytes load(const std::uint8_t* from) {
  Bytes v;
  std::memcpy(v.at, from, 64);
  return v;
}
inline void store(std::uint8_t* to, const Bytes& v) { std::memcpy(to, v.at, 64); }
inline Bytes splat(std::uint8_t value) {
  Bytes v;
  std::memset(v.at, value, 64);
  return v;
}
/// A table of 16 bytes, ready for lookup16.
inline Bytes load16(const std::uint8_t* from) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = from[i % 16];
  return v;
}
inline Words load_words(const std::uint16_t* from) {
  Words v;
  std::memcpy(v.at, from, 128);
  return v;
}
inline void store_words(std::uint16_t* to, const Words& v) { std::memcpy(to, v.at, 128); }
inline Words splat_words(std::uint16_t value) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = value;
  return v;
}

#define TENSORHUB_BYTE_OP(name, expression)         \
  inline Bytes name(const Bytes& a, const Bytes& b) { \
    Bytes v;                                        \
    TENSORHUB_LANES(i) v.at[i] = static_cast<std::uint8_t>(expression); \
    return v;                                       \
  }
#define TENSORHUB_WORD_OP(name, expression)         \
  inline Words name(const Words& a, const Words& b) { \
    Words v;                                        \
    TENSORHUB_LANES(i) v.at[i] = static_cast<std::uint16_t>(expression); \
    return v;                                       \
  }
TENSORHUB_BYTE_OP(bit_and, a.at[i] & b.at[i])
TENSORHUB_BYTE_OP(bit_or, a.at[i] | b.at[i])
TENSORHUB_BYTE_OP(add, a.at[i] + b.at[i])
TENSORHUB_BYTE_OP(sub, a.at[i] - b.at[i])
TENSORHUB_BYTE_OP(lesser, a.at[i] < b.at[i] ? a.at[i] : b.at[i])
TENSORHUB_WORD_OP(bit_and, a.at[i] & b.at[i])
TENSORHUB_WORD_OP(bit_or, a.at[i] | b.at[i])
TENSORHUB_WORD_OP(bit_xor, a.at[i] ^ b.at[i])
TENSORHUB_WORD_OP(add, a.at[i] + b.at[i])
TENSORHUB_WORD_OP(sub, a.at[i] - b.at[i])
TENSORHUB_WORD_OP(lesser, a.at[i] < b.at[i] ? a.at[i] : b.at[i])
TENSORHUB_WORD_OP(sub_saturated, a.at[i] > b.at[i] ? a.at[i] - b.at[i] : 0)
TENSORHUB_WORD_OP(mul_low, static_cast<std::uint32_t>(a.at[i]) * b.at[i])
TENSORHUB_WORD_OP(mul_high, (static_cast<std::uint32_t>(a.at[i]) * b.at[i]) >> 16)
#undef TENSORHUB_BYTE_OP
#undef TENSORHUB_WORD_OP

template <int N>
inline Words shift_left(const Words& a) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = static_cast<std::uint16_t>(a.at[i] << N);
  return v;
}
template <int N>
inline Words shift_right(const Words& a) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = static_cast<std::uint16_t>(a.at[i] >> N);
  return v;
}
/// All bits of each lane are its sign bit.
inline Words sign_fill(const Words& a) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = a.at[i] & 0x8000 ? 0xffff : 0;
  return v;
}

inline Mask equal(const Bytes& a, const Bytes& b) {
  Mask m = 0;
  TENSORHUB_LANES(i) m |= static_cast<Mask>(a.at[i] == b.at[i]) << i;
  return m;
}
inline WordMask less(const Words& a, const Words& b) {
  WordMask m = 0;
  TENSORHUB_LANES(i) m |= static_cast<WordMask>(a.at[i] < b.at[i]) << i;
  return m;
}
inline WordMask equal(const Words& a, const Words& b) {
  WordMask m = 0;
  TENSORHUB_LANES(i) m |= static_cast<WordMask>(a.at[i] == b.at[i]) << i;
  return m;
}
inline std::uint64_t bits(Mask m) { return m; }
inline unsigned count(std::uint64_t bits) { return static_cast<unsigned>(__builtin_popcountll(bits)); }
inline Mask byte_mask(std::uint64_t bits) { return bits; }
inline std::uint64_t word_bits(WordMask m) { return m; }
inline WordMask word_mask_not(WordMask m) { return ~m; }
/// b where the mask is set, else a.
inline Bytes choose_bytes(Mask m, const Bytes& a, const Bytes& b) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = m >> i & 1 ? b.at[i] : a.at[i];
  return v;
}
inline Words choose_words(WordMask m, const Words& a, const Words& b) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = m >> i & 1 ? b.at[i] : a.at[i];
  return v;
}

/// table[index]; every index is below 16.
inline Bytes lookup16(const Bytes& table, const Bytes& index) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = table.at[index.at[i] & 15];
  return v;
}

/// Set lanes take the next bytes of `from`, in order; others are 0. Reads 64 bytes at `from`.
inline Bytes expand(std::uint64_t bits, const std::uint8_t* from) {
  Bytes v;
  TENSORHUB_LANES(i) {
    const auto take = static_cast<std::uint8_t>(bits >> i & 1);
    v.at[i] = take ? *from : std::uint8_t{0};
    from += take;
  }
  return v;
}
/// Writes the set lanes to `to`, in order, and rubbish up to 64 bytes.
inline void compress(std::uint64_t bits, const Bytes& v, std::uint8_t* to) {
  TENSORHUB_LANES(i) {
    if (bits >> i & 1) *to++ = v.at[i];
  }
}

inline Words widen(const Bytes& a) {
  Words v;
  TENSORHUB_LANES(i) v.at[i] = a.at[i];
  return v;
}
/// The low byte of each word.
inline Bytes narrow(const Words& a) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = static_cast<std::uint8_t>(a.at[i]);
  return v;
}

/// Two bits a lane out of 16 bytes: lane 16 g + i is bits 2 g and up of byte i.
inline Bytes unpack2(const std::uint8_t* from) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = from[i % 16] >> (i / 16 * 2) & 3;
  return v;
}
/// The opposite; every lane is below 4.
inline void pack2(const Bytes& v, std::uint8_t* to) {
  for (unsigned i = 0; i < 16; ++i)
    to[i] = static_cast<std::uint8_t>(v.at[i] | v.at[i + 16] << 2 | v.at[i + 32] << 4 | v.at[i + 48] << 6);
}
/// Four bits a lane out of 32 bytes: lane 32 g + i is bits 4 g and up of byte i.
inline Bytes unpack4(const std::uint8_t* from) {
  Bytes v;
  TENSORHUB_LANES(i) v.at[i] = from[i % 32] >> (i / 32 * 4) & 15;
  return v;
}
/// The opposite; every lane is below 16.
inline void pack4(const Bytes& v, std::uint8_t* to) {
  for (unsigned i = 0; i < 32; ++i) to[i] = static_cast<std::uint8_t>(v.at[i] | v.at[i + 32] << 4);
}
/// 64 pairs of 16-bit words, low ones first, as 256 bytes.
inline void store_pairs(std::uint8_t* to, const Words& low, const Words& high) {
  std::uint16_t pairs[128];
  TENSORHUB_LANES(i) {
    pairs[2 * i] = low.at[i];
    pairs[2 * i + 1] = high.at[i];
  }
  std::memcpy(to, pairs, 256);
}
inline void load_pairs(const std::uint8_t* from, Words& low, Words& high) {
  std::uint16_t pairs[128];
  std::memcpy(pairs, from, 256);
  TENSORHUB_LANES(i) {
    low.at[i] = pairs[2 * i];
    high.at[i] = pairs[2 * i + 1];
  }
}
#undef TENSORHUB_LANES
