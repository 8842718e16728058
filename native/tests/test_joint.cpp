// Sanitizer test of the codec `joint`: every kind of float and shape of data, on every path.
#include "tensorhub/joint.hpp"

#include "every_path.hpp"

namespace tensorhub {
namespace {

constexpr FloatKind kKinds[] = {FloatKind::kBf16, FloatKind::kF32, FloatKind::kF16};

std::size_t width_of(FloatKind kind) { return kind == FloatKind::kF32 ? 4 : 2; }

Buffer check_chunk(const Buffer& target, FloatKind kind) {
  return check_round_trip(
      target, {}, joint_bound(target.size()),
      [&](auto bytes, auto, auto out) { return encode_joint(bytes, kind, out); },
      [&](auto coded, auto, auto out) { decode_joint(coded, width_of(kind), out); });
}

void test_sizes(FloatKind kind) {
  const std::size_t width = width_of(kind);
  std::uint64_t seed = 0;
  for (const std::size_t count : kSizes) {
    if (!is_worth(count, width)) continue;
    for (std::size_t k = 0; k < static_cast<std::size_t>(Shape::kCount); ++k, ++seed) {
      if (count > 4097 && k % 2 == seed / 8 % 2) continue;
      const std::size_t nbytes = count * width + (seed % 3 ? 0 : seed % width);
      current_case() = std::to_string(nbytes) + " bytes of kind " + std::to_string(static_cast<int>(kind)) +
                       ", shape " + std::to_string(k);
      check_chunk(make_data(static_cast<Shape>(k), nbytes, width, seed), kind);
    }
  }
}

void test_damage(FloatKind kind) {
  const std::size_t width = width_of(kind);
  for (const std::size_t count : {65u, 700u, 4500u}) {
    for (const Shape shape : {Shape::kWeights, Shape::kScaledRows, Shape::kConstant, Shape::kSparse}) {
      const Buffer target = make_data(shape, count * width + 1, width, count);
      const Buffer coded = check_chunk(target, kind);
      if (coded.size() > 2500) continue;
      current_case() =
          "damaged, kind " + std::to_string(static_cast<int>(kind)) + ", " + std::to_string(count) + " values";
      check_damage(coded, {}, target.size(), count,
                   [&](auto bytes, auto, auto out) { decode_joint(bytes, width, out); });
    }
  }
}

void test_wrong_arguments() {
  Buffer bytes(64), out(joint_bound(64) - 1);
  check_refused(ErrorKind::kShapeMismatch, "too small an output", [&] { encode_joint(bytes, FloatKind::kBf16, out); });
  Buffer coded(joint_bound(64));
  coded.resize(encode_joint(bytes, FloatKind::kBf16, coded));
  check_refused(ErrorKind::kCorruptPack, "another width", [&] { decode_joint(coded, 4, bytes); });
}

}  // namespace
}  // namespace tensorhub

int main() {
  for (const auto kind : tensorhub::kKinds) {
    tensorhub::test_sizes(kind);
    tensorhub::test_damage(kind);
  }
  tensorhub::test_wrong_arguments();
  return tensorhub::report("joint");
}
