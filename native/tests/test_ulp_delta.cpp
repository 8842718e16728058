// Sanitizer test of the codecs `ulp_delta` and `ulp_delta_fast`: every width, shape of data and kind of prediction, on
// every path.
#include "tensorhub/ulp_delta.hpp"

#include "every_path.hpp"

namespace tensorhub {
namespace {

using Encode = decltype(&encode_ulp_delta);
using Decode = decltype(&decode_ulp_delta);

struct Form {
  const char* name;
  Encode encode;
  Decode decode;
};
constexpr Form kForms[] = {{"ulp_delta", encode_ulp_delta, decode_ulp_delta},
                           {"ulp_delta_fast", encode_ulp_delta_fast, decode_ulp_delta_fast}};

Buffer check_chunk(const Form& form, const Buffer& target, const Buffer& prediction, std::size_t width,
                   const UlpPlan* plan = nullptr) {
  return check_round_trip(
      target, prediction, ulp_delta_bound(target.size(), width),
      [&](auto bytes, auto predicted, auto out) {
        return form.encode(bytes, predicted, width, plan ? *plan : plan_ulp_delta(bytes, predicted, width), out);
      },
      [&](auto coded, auto predicted, auto out) { form.decode(coded, predicted, width, out); });
}

void test_sizes(const Form& form, std::size_t width) {
  std::uint64_t seed = 0;
  for (const std::size_t count : kSizes) {
    if (!is_worth(count, width)) continue;
    for (std::size_t k = 0; k < static_cast<std::size_t>(Shape::kCount); ++k) {
      for (unsigned kind = 0; kind < 5; ++kind, ++seed) {
        if (count > 129 && kind != (k + seed / 40) % 5) continue;
        if (count > 4097 && k % 3 != count % 3) continue;
        const std::size_t nbytes = count * width + (seed % 3 ? 0 : seed % width);
        const Buffer target = make_data(static_cast<Shape>(k), nbytes, width, seed);
        current_case() = std::string(form.name) + ", " + std::to_string(nbytes) + " bytes of width " +
                         std::to_string(width) + ", shape " + std::to_string(k) + ", prediction " +
                         std::to_string(kind);
        check_chunk(form, target, make_prediction(target, width, kind, seed), width);
      }
    }
  }
}

// A plan of another chunk costs size and nothing else, or is refused where it is of other elements.
void test_other_plans(const Form& form, std::size_t width) {
  const Buffer target = make_data(Shape::kWeights, 5000, width, 3), prediction = make_prediction(target, width, 2, 3);
  std::size_t refused = 0;
  for (const std::size_t other : {1u, 2u, 4u, 8u}) {
    for (unsigned k = 0; k < 40; ++k) {
      const Buffer planned = make_data(static_cast<Shape>(k % 8), 8192 * other, other, k);
      UlpPlan plan = plan_ulp_delta(planned, make_prediction(planned, other, k / 8, k), other);
      // Numbers so large that only elements of that width hold them, as half octaves of BF16 make them.
      if (k % 4 == 0) plan.model = plan.fast_model = {true, 6, std::uint64_t{3} << (8 * other - 7), 5};
      current_case() =
          std::string(form.name) + ", width " + std::to_string(width) + ", a plan for width " + std::to_string(other);
      try {
        check_chunk(form, target, prediction, width, &plan);
      } catch (const Error& error) {
        check(other != width && error.kind() == ErrorKind::kUsage, "a plan of the same width is used");
        ++refused;
      }
    }
  }
  check(width == 8 || refused > 0, "some plans of other elements are refused");
}

void test_damage(const Form& form, std::size_t width) {
  for (unsigned kind = 0; kind < 5; ++kind) {
    for (const Shape shape : {Shape::kWeights, Shape::kScaledRows, Shape::kSparse}) {
      const Buffer target = make_data(shape, 300 * width + width / 2, width, kind);
      const Buffer prediction = make_prediction(target, width, kind, kind);
      const Buffer coded = check_chunk(form, target, prediction, width);
      if (coded.size() > 2000) continue;
      current_case() =
          std::string(form.name) + ", damaged, width " + std::to_string(width) + ", prediction " + std::to_string(kind);
      check_damage(coded, prediction, target.size(), kind,
                   [&](auto bytes, auto predicted, auto out) { form.decode(bytes, predicted, width, out); });
    }
  }
}

// Many short escapes in few coded bytes, of which the head says that there are none: they lie beyond the chunk's end.
void test_missing_escapes() {
  Buffer target(2 * 8192), prediction(target.size());
  for (std::size_t i = 0; i < target.size(); i += 2) target[i] = 20;  // folded 40: a short escape, all of them
  Buffer coded(ulp_delta_bound(target.size(), 2));
  coded.resize(encode_ulp_delta_fast(target, prediction, 2, plan_ulp_delta(target, prediction, 2), coded));
  // Model (11 bytes), nbytes, short escapes, long ones, groups, low bytes; then a table for each context.
  std::size_t at = 11 + 4 + 4 + 4 + 1 + 1;
  for (unsigned c = 0; c < coded[2]; ++c) at += 2 + coded[at];
  check(coded[15] == 0 && coded[16] == 8192 >> 8, "8192 short escapes");
  coded.erase(coded.begin() + static_cast<std::ptrdiff_t>(at), coded.begin() + static_cast<std::ptrdiff_t>(at) + 8192);
  coded[16] = 0;
  current_case() = "no short escapes";
  for (const SimdLevel level : simd_levels()) {
    set_simd_level(level);
    const auto found =
        decode_or_refuse(coded, prediction, target.size(), Place::kBack,
                         [](auto bytes, auto predicted, auto out) { decode_ulp_delta_fast(bytes, predicted, 2, out); });
    check(!found, "missing short escapes are damage");
  }
}

void test_wrong_arguments(const Form& form) {
  Buffer bytes(64), other(62), out(ulp_delta_bound(64, 2) - 1);
  check_refused(ErrorKind::kShapeMismatch, "too small an output", [&] { form.encode(bytes, bytes, 2, {}, out); });
  check_refused(ErrorKind::kShapeMismatch, "a shorter prediction", [&] { form.encode(bytes, other, 2, {}, out); });
  check_refused(ErrorKind::kUsage, "a width of 3", [&] { form.encode(bytes, bytes, 3, {}, out); });
  check_refused(ErrorKind::kCorruptPack, "a width of 3 to decode", [&] { form.decode(bytes, bytes, 3, out); });
  check_refused(ErrorKind::kShapeMismatch, "a shorter prediction to decode by",
                [&] { form.decode(bytes, other, 2, std::span(out).first(64)); });
}

}  // namespace
}  // namespace tensorhub

int main() {
  for (const auto& form : tensorhub::kForms) {
    for (const std::size_t width : {1u, 2u, 4u, 8u}) {
      tensorhub::test_sizes(form, width);
      tensorhub::test_other_plans(form, width);
      tensorhub::test_damage(form, width);
    }
    tensorhub::test_wrong_arguments(form);
  }
  tensorhub::test_missing_escapes();
  return tensorhub::report("ULP deltas");
}
