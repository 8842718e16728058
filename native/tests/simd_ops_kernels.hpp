// Every vector operation once, for test_simd_ops.cpp; compiled for each path by simd/for_each_level.hpp.
//
// Duty: one result per operation, by name. Not its duty: inputs and judgement.

inline void keep(Results& results, const char* name, Bytes v) { store(results.next(name, 64), v); }
inline void keep(Results& results, const char* name, Words v) { store_words(results.next_words(name, 64), v); }
inline void keep_bits(Results& results, const char* name, std::uint64_t bits) {
  std::memcpy(results.next(name, 8), &bits, 8);
}

inline void run_byte_operations(const Inputs& in, Results& out) {
  const Bytes a = load(in.a), b = load(in.b);
  keep(out, "load", a);
  keep(out, "splat", splat(in.a[0]));
  keep(out, "bit_and", bit_and(a, b));
  keep(out, "bit_or", bit_or(a, b));
  keep(out, "add", add(a, b));
  keep(out, "sub", sub(a, b));
  keep(out, "lesser", lesser(a, b));
  keep(out, "load16", load16(in.table));
  keep(out, "lookup16", lookup16(load16(in.table), load(in.nibbles)));
  keep_bits(out, "equal", bits(equal(a, b)));
  keep_bits(out, "byte_mask", bits(byte_mask(in.bits)));
  keep_bits(out, "count", count(in.bits));
  keep(out, "choose_bytes by equal", choose_bytes(equal(a, b), b, a));
  keep(out, "choose_bytes by bits", choose_bytes(byte_mask(in.bits), a, b));
}

inline void run_word_operations(const Inputs& in, Results& out) {
  const Words a = load_words(in.word_a), b = load_words(in.word_b);
  keep(out, "load_words", a);
  keep(out, "splat_words", splat_words(in.word_a[0]));
  keep(out, "bit_and of words", bit_and(a, b));
  keep(out, "bit_or of words", bit_or(a, b));
  keep(out, "bit_xor", bit_xor(a, b));
  keep(out, "add of words", add(a, b));
  keep(out, "sub of words", sub(a, b));
  keep(out, "lesser of words", lesser(a, b));
  keep(out, "sub_saturated", sub_saturated(a, b));
  keep(out, "mul_low", mul_low(a, b));
  keep(out, "mul_high", mul_high(a, b));
#define TENSORHUB_SHIFT(n)                          \
  keep(out, "shift_left by " #n, shift_left<n>(a)); \
  keep(out, "shift_right by " #n, shift_right<n>(a));
  TENSORHUB_SHIFT(0) TENSORHUB_SHIFT(1) TENSORHUB_SHIFT(2) TENSORHUB_SHIFT(3) TENSORHUB_SHIFT(4) TENSORHUB_SHIFT(5)
  TENSORHUB_SHIFT(6) TENSORHUB_SHIFT(7) TENSORHUB_SHIFT(8) TENSORHUB_SHIFT(9) TENSORHUB_SHIFT(10) TENSORHUB_SHIFT(11)
  TENSORHUB_SHIFT(12) TENSORHUB_SHIFT(13) TENSORHUB_SHIFT(14) TENSORHUB_SHIFT(15)
#undef TENSORHUB_SHIFT
  keep(out, "sign_fill", sign_fill(a));
  keep_bits(out, "less", word_bits(less(a, b)));
  keep_bits(out, "equal of words", word_bits(equal(a, b)));
  keep_bits(out, "word_mask_not", word_bits(word_mask_not(less(a, b))));
  keep(out, "choose_words by less", choose_words(less(a, b), a, b));
  keep(out, "choose_words by equal", choose_words(word_mask_not(equal(a, b)), b, a));
}

inline void run_moves(const Inputs& in, Results& out) {
  const Bytes a = load(in.a);
  keep(out, "expand", expand(in.bits, in.ends_with_64));
  // What lies after the set lanes is rubbish; how far it may reach, the page behind it says.
  compress(in.bits, a, in.room_of_64);
  std::memcpy(out.next("compress", count(in.bits)), in.room_of_64, count(in.bits));
  keep(out, "widen", widen(a));
  keep(out, "narrow", narrow(load_words(in.word_a)));
  keep(out, "unpack2", unpack2(in.ends_with_64 + 48));
  keep(out, "unpack4", unpack4(in.ends_with_64 + 32));
  pack2(load(in.twos), out.next("pack2", 16));
  pack4(load(in.nibbles), out.next("pack4", 32));
  store_pairs(out.next("store_pairs", 256), load_words(in.word_a), load_words(in.word_b));
  Words low, high;
  load_pairs(in.pairs, low, high);
  keep(out, "load_pairs, low", low);
  keep(out, "load_pairs, high", high);
}

inline void run_operations(const Inputs& in, Results& out) {
  run_byte_operations(in, out);
  run_word_operations(in, out);
  run_moves(in, out);
}
