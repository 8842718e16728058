// Vector loops of the codec `joint`, compiled once per path. See joint.cpp.

// Planes of a float whose sign was moved: `high` the exponent, `low` sign and seven mantissa bits. The six bits that
// are kept packed are sign and five mantissa bits: four of them in `nibbles`, two in `pairs`.
inline void joint_pack6(const std::uint8_t* low, std::uint8_t* nibbles, std::uint8_t* pairs, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes bytes = load(low + 64 * step);
    pack4(bit_and(bytes, splat(15)), nibbles + 32 * step);
    const Words words = widen(bytes);
    const Words fifth = bit_and(shift_right<4>(words), splat_words(1));
    const Words sign = shift_left<1>(shift_right<7>(words));
    pack2(narrow(bit_or(fifth, sign)), pairs + 16 * step);
  }
}

// Tokens back to the planes; escapes are the caller's.
inline void joint_join6(const std::uint8_t* tokens, std::uint16_t first_key, const std::uint8_t* nibbles,
                        const std::uint8_t* pairs, std::uint8_t* low, std::uint8_t* high, std::size_t steps) {
  const Words first = splat_words(first_key);
  for (std::size_t step = 0; step < steps; ++step) {
    const Words key = add(widen(load(tokens + 64 * step)), first);
    const Words pair = widen(unpack2(pairs + 16 * step));
    const Words rest = bit_or(widen(unpack4(nibbles + 32 * step)), shift_left<4>(bit_and(pair, splat_words(1))));
    const Words sign = shift_left<7>(shift_right<1>(pair));
    const Words top = shift_left<5>(bit_and(key, splat_words(3)));
    store(low + 64 * step, narrow(bit_or(bit_or(rest, sign), top)));
    store(high + 64 * step, narrow(shift_right<2>(key)));
  }
}

// The upper byte of a half: sign, five exponent bits, two mantissa bits. Only the sign is kept packed.
inline void joint_pack1(const std::uint8_t* high, std::uint8_t* signs, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes bytes = load(high + 64 * step);
    const std::uint64_t packed = bits(equal(bit_and(bytes, splat(0x80)), splat(0x80)));
    std::memcpy(signs + 8 * step, &packed, 8);
  }
}

inline void joint_join1(const std::uint8_t* tokens, std::uint8_t first_key, const std::uint8_t* signs,
                        std::uint8_t* high, std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    std::uint64_t packed;
    std::memcpy(&packed, signs + 8 * step, 8);
    const Bytes key = add(load(tokens + 64 * step), splat(first_key));
    store(high + 64 * step, bit_or(bit_and(key, splat(0x7f)), choose_bytes(byte_mask(packed), splat(0), splat(0x80))));
  }
}
