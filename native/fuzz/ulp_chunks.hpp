// The fuzz target of both ULP deltas. First bytes: mode and width, decoded length, shape of the prediction, kind of
// difference and its seed, paths.
#pragma once

#include "hostile_chunks.hpp"
#include "tensorhub/ulp_delta.hpp"

namespace tensorhub {

inline void fuzz_ulp_delta(const std::uint8_t* data, std::size_t size, decltype(&encode_ulp_delta) encode_chunk,
                           decltype(&decode_ulp_delta) decode_chunk) {
  Choices choices(data, size);
  const unsigned mode = choices.byte();
  const std::size_t width = std::size_t{1} << mode / 4 % 4, nbytes = choose_nbytes(choices);
  const unsigned shape = choices.byte() % 8, kind = choices.byte() % 10;
  const auto prediction = fixed_data(static_cast<Shape>(shape), width, nbytes);
  fuzz_chunk(
      choices, static_cast<Mode>(mode % 4), (nbytes << 8 | width) << 16 | shape << 8 | kind, nbytes, prediction,
      [&] { return make_prediction(prediction, width, kind, kind); },
      [&](const Buffer& target) { return ulp_delta_bound(target.size(), width); },
      [&](auto target, auto predicted, auto out) {
        return encode_chunk(target, predicted, width, plan_ulp_delta(target, predicted, width), out);
      },
      [&](auto coded, auto predicted, auto out) { decode_chunk(coded, predicted, width, out); });
}

}  // namespace tensorhub
