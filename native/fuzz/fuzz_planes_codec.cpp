// Fuzz target: decode_planes. First bytes: mode and effort, width, decoded length, shape and seed of data, paths.
#include "hostile_chunks.hpp"
#include "tensorhub/planes_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorhub;
  Choices choices(data, size);
  const unsigned mode = choices.byte();
  const auto effort = static_cast<PlanesEffort>(mode / 4 % 3);
  const std::size_t width = choices.byte() % kPlanesMaxWidth + 1, nbytes = choose_nbytes(choices);
  const unsigned shape = choices.byte() % 16;
  fuzz_chunk(
      choices, static_cast<Mode>(mode % 4), (nbytes << 8 | width) << 16 | mode / 4 % 3 << 8 | shape, nbytes, {},
      [&] { return make_data(static_cast<Shape>(shape % 8), nbytes, width, shape); },
      [&](const Buffer& target) { return planes_bound(target.size(), width); },
      [&](auto target, auto, auto out) {
        return encode_planes(target, width, effort, plan_planes(target, width), out);
      },
      [&](auto coded, auto, auto out) { decode_planes(coded, width, out); });
  return 0;
}
