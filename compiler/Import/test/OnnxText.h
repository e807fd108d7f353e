// Writes models for the tests from ONNX's own text form. Compiled with exceptions and RTTI, unlike what uses it.
#pragma once

#include <string>

namespace crosscut::test {

// The bytes of the model that `text` describes (onnx/defs/parser.h), or "" with the parser's message in `error`.
std::string onnxBytes(const std::string &text, std::string &error);
// The same model with its initialiser `name` pointing into another file.
std::string onnxBytesWithExternalData(const std::string &text, const std::string &name, std::string &error);

}  // namespace crosscut::test
