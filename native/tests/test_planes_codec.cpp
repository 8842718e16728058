// Sanitizer test of the codec `planes`: every width, shape of data and effort, on every path.
#include "tensorhub/planes_codec.hpp"

#include "every_path.hpp"

namespace tensorhub {
namespace {

constexpr PlanesEffort kEfforts[] = {PlanesEffort::kFast, PlanesEffort::kBalanced, PlanesEffort::kSmall};

Buffer check_chunk(const Buffer& target, std::size_t width, PlanesEffort effort, const PlanesPlan* plan = nullptr) {
  return check_round_trip(
      target, {}, planes_bound(target.size(), width),
      [&](auto bytes, auto, auto out) {
        return encode_planes(bytes, width, effort, plan ? *plan : plan_planes(bytes, width), out);
      },
      [&](auto coded, auto, auto out) { decode_planes(coded, width, out); });
}

void test_sizes(std::size_t width) {
  std::uint64_t seed = 0;
  for (const std::size_t count : kSizes) {
    if (!is_worth(count, width)) continue;
    const std::size_t shapes = static_cast<std::size_t>(Shape::kCount);
    for (std::size_t k = 0; k < shapes; ++k, ++seed) {
      // Of large chunks some shapes and one effort, in turn; the rest of an element at the end now and then.
      if (count > 4097 && k % 2 == count % 2) continue;
      const std::size_t nbytes = count * width + (seed % 3 ? 0 : seed % width);
      const Buffer target = make_data(static_cast<Shape>(k), nbytes, width, seed);
      for (std::size_t e = 0; e < 3; ++e) {
        current_case() =
            std::to_string(nbytes) + " bytes of width " + std::to_string(width) + ", shape " + std::to_string(k);
        if (count <= 129 || e == seed % 3) check_chunk(target, width, kEfforts[e]);
      }
    }
  }
}

// A plan of another chunk costs size and nothing else.
void test_other_plans(std::size_t width) {
  for (unsigned k = 0; k < 16; ++k) {
    const PlanesPlan plan{k, k % 2 != 0, k / 2 % 2 != 0};
    const Shape shape = k / 4 % 2 ? Shape::kShortMantissas : Shape::kNoise;
    current_case() = "other plan " + std::to_string(k) + ", width " + std::to_string(width);
    check_chunk(make_data(shape, (k / 8 ? 40000 : 150) * width + width / 2, width, k), width, kEfforts[k % 3], &plan);
  }
}

// Lower planes of noise are split to where they will lie; then some of them turn out to be worth coding.
void test_planes_in_place() {
  for (std::size_t width = 2; width <= 5; ++width) {
    for (unsigned coded = 0; coded < 1U << width; ++coded) {
      Buffer target = make_data(Shape::kNoise, 40000 * width, width, coded);
      Random random(coded);
      for (std::size_t i = 0; i < 40000; ++i) {
        // Noise for a look at one value in nineteen; else few symbols, or few bits in some rows.
        for (std::size_t k = 0; k < width; ++k) {
          std::uint8_t& byte = target[i * width + k];
          if (coded >> k & 1 && i % 19)
            byte = static_cast<std::uint8_t>(k % 2 ? byte & 0x0f : i / 64 % 3 ? byte & 0x7f : byte);
        }
      }
      current_case() = "planes in place, width " + std::to_string(width) + ", coded " + std::to_string(coded);
      for (const PlanesEffort effort : {PlanesEffort::kFast, PlanesEffort::kBalanced})
        check_chunk(target, width, effort);
    }
  }
}

void test_damage(std::size_t width) {
  for (std::size_t k = 0; k < static_cast<std::size_t>(Shape::kCount); ++k) {
    const std::size_t nbytes = 600 * width / (width > 4 ? 4 : 1) + width / 2;
    const Buffer target = make_data(static_cast<Shape>(k), nbytes, width, k);
    const Buffer coded = check_chunk(target, width, kEfforts[k % 3]);
    if (coded.size() > 2000) continue;
    current_case() = "damaged, width " + std::to_string(width) + ", shape " + std::to_string(k);
    check_damage(coded, {}, nbytes, k, [&](auto bytes, auto, auto out) { decode_planes(bytes, width, out); });
  }
}

void test_wrong_arguments() {
  Buffer bytes(64), out(planes_bound(64, 2) - 1);
  check_refused(ErrorKind::kShapeMismatch, "too small an output",
                [&] { encode_planes(bytes, 2, PlanesEffort::kFast, {}, out); });
  check_refused(ErrorKind::kUsage, "no width", [&] { encode_planes(bytes, 0, PlanesEffort::kFast, {}, out); });
  check_refused(ErrorKind::kUsage, "a width of 17", [&] { plan_planes(bytes, 17); });
  check_refused(ErrorKind::kCorruptPack, "a width of 17 to decode", [&] { decode_planes(bytes, 17, out); });
}

}  // namespace
}  // namespace tensorhub

int main() {
  for (std::size_t width = 1; width <= tensorhub::kPlanesMaxWidth; ++width) tensorhub::test_sizes(width);
  for (const std::size_t width : {1u, 2u, 3u, 4u, 8u, 16u}) tensorhub::test_damage(width);
  for (const std::size_t width : {1u, 2u, 4u, 5u}) tensorhub::test_other_plans(width);
  tensorhub::test_planes_in_place();
  tensorhub::test_wrong_arguments();
  return tensorhub::report("planes codec");
}
