// Vector loops of the cascade, compiled once per path. See cascade.cpp.

// Decodes `steps` times 64 two-bit codes; those of value 3 take the next bytes of `escaped`. Gives how many did.
// 64 bytes past the last escape are read.
inline std::size_t cascade_decode2(const std::uint8_t* symbols, const std::uint8_t* codes, const std::uint8_t* escaped,
                                   std::uint8_t* out, std::size_t steps) {
  const Bytes table = load16(symbols), escape = splat(3);
  const std::uint8_t* from = escaped;
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes code = unpack2(codes + 16 * step);
    const Mask is_escape = equal(code, escape);
    const std::uint64_t wanted = bits(is_escape);
    // The table gives 0 for an escape, so that the two can be joined.
    store(out + 64 * step, bit_or(lookup16(table, code), expand(wanted, from)));
    from += count(wanted);
  }
  return static_cast<std::size_t>(from - escaped);
}

// The same for one-bit codes: 0 is `symbol`, 1 an escape.
inline std::size_t cascade_decode1(std::uint8_t symbol, const std::uint8_t* codes, const std::uint8_t* escaped,
                                   std::uint8_t* out, std::size_t steps) {
  const Bytes common = splat(symbol);
  const std::uint8_t* from = escaped;
  for (std::size_t step = 0; step < steps; ++step) {
    std::uint64_t wanted;
    std::memcpy(&wanted, codes + 8 * step, 8);
    store(out + 64 * step, choose_bytes(byte_mask(wanted), common, expand(wanted, from)));
    from += count(wanted);
  }
  return static_cast<std::size_t>(from - escaped);
}

// Codes `steps` times 64 symbols in two bits; `valid` bits of the last step are real. Escapes go to `escaped`.
inline std::size_t cascade_encode2(const std::uint8_t* symbols3, const std::uint8_t* symbols, std::uint8_t* codes,
                                   std::uint8_t* escaped, std::size_t steps, std::uint64_t valid) {
  const Bytes first = splat(symbols3[0]), second = splat(symbols3[1]), third = splat(symbols3[2]);
  std::uint8_t* to = escaped;
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes symbol = load(symbols + 64 * step);
    Bytes code = splat(3);
    code = choose_bytes(equal(symbol, third), code, splat(2));
    code = choose_bytes(equal(symbol, second), code, splat(1));
    code = choose_bytes(equal(symbol, first), code, splat(0));
    if (step + 1 == steps) code = choose_bytes(byte_mask(valid), splat(0), code);
    pack2(code, codes + 16 * step);
    const std::uint64_t escapes = bits(equal(code, splat(3)));
    compress(escapes, symbol, to);
    to += count(escapes);
  }
  return static_cast<std::size_t>(to - escaped);
}

inline std::size_t cascade_encode1(std::uint8_t common, const std::uint8_t* symbols, std::uint8_t* codes,
                                   std::uint8_t* escaped, std::size_t steps, std::uint64_t valid) {
  std::uint8_t* to = escaped;
  for (std::size_t step = 0; step < steps; ++step) {
    const Bytes symbol = load(symbols + 64 * step);
    std::uint64_t escapes = ~bits(equal(symbol, splat(common)));
    if (step + 1 == steps) escapes &= valid;
    std::memcpy(codes + 8 * step, &escapes, 8);
    compress(escapes, symbol, to);
    to += count(escapes);
  }
  return static_cast<std::size_t>(to - escaped);
}
