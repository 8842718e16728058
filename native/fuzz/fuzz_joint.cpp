// Fuzz target: decode_joint. First bytes: mode and kind of float, decoded length, shape and seed of data, paths.
#include "hostile_chunks.hpp"
#include "tensorhub/joint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorhub;
  Choices choices(data, size);
  const unsigned mode = choices.byte();
  const auto kind = static_cast<FloatKind>(mode / 4 % 3);
  const std::size_t width = kind == FloatKind::kF32 ? 4 : 2, nbytes = choose_nbytes(choices);
  const unsigned shape = choices.byte() % 16;
  fuzz_chunk(
      choices, static_cast<Mode>(mode % 4), nbytes << 16 | mode / 4 % 3 << 8 | shape, nbytes, {},
      [&] { return make_data(static_cast<Shape>(shape % 8), nbytes, width, shape); },
      [&](const Buffer& target) { return joint_bound(target.size()); },
      [&](auto target, auto, auto out) { return encode_joint(target, kind, out); },
      [&](auto coded, auto, auto out) { decode_joint(coded, width, out); });
  return 0;
}
