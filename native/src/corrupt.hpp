// The error of a decoder that met damage; one place for its wording.
#pragma once

#include <string>
#include <string_view>

#include "tensorhub/error.hpp"

namespace tensorhub {

inline Error corrupt(std::string_view thing, std::string_view expected, std::size_t found) {
  return Error(ErrorKind::kCorruptPack, std::string(thing), std::string(expected), std::to_string(found),
               "Run `tensorhub verify` to see which files are affected.");
}

}  // namespace tensorhub
