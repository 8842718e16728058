// The one exception type of the native core.
//
// Duty: carry the four parts of a message (thing, expected, found, action) and which class of tensorhub.errors it
// becomes. Not its duty: knowing Python; bindings/module.cpp registers the one translator.
// Invariant: every ErrorKind has a class of the same name in tensorhub.errors (a test walks both).
#pragma once

#include <array>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace tensorhub {

enum class ErrorKind : unsigned char { kUsage, kShapeMismatch, kInvalidRecord, kCorruptPack, kInvariant };

/// Class names in tensorhub.errors, in the order of ErrorKind.
inline constexpr std::array<std::string_view, 5> kErrorClassNames = {
    "UsageError", "ShapeMismatchError", "InvalidRecordError", "CorruptPackError", "InvariantError"};

/// A failure of a kernel. Thrown before anything is written, unless the function says otherwise.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string thing, std::string expected, std::string found, std::string action)
      : kind_(kind),
        thing_(std::move(thing)),
        expected_(std::move(expected)),
        found_(std::move(found)),
        action_(std::move(action)) {}

  const char* what() const noexcept override { return thing_.c_str(); }
  ErrorKind kind() const noexcept { return kind_; }
  std::string_view class_name() const noexcept { return kErrorClassNames[static_cast<std::size_t>(kind_)]; }
  const std::string& thing() const noexcept { return thing_; }
  const std::string& expected() const noexcept { return expected_; }
  const std::string& found() const noexcept { return found_; }
  const std::string& action() const noexcept { return action_; }

 private:
  ErrorKind kind_;
  std::string thing_, expected_, found_, action_;
};

}  // namespace tensorhub
