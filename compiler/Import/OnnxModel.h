// An ONNX model as plain data: checked, shapes inferred, functions inlined, weights in host byte order.
//
// This is the border between ONNX's C++ library (protobuf, exceptions, RTTI: OnnxLoad.cpp alone) and the importer,
// which is compiled like the rest of the compiler. Nothing but the standard library crosses it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosscut::onnxir {

// Element types, numbered as in onnx.TensorProto.DataType.
enum ElementType : int32_t {
  kUndefined = 0,
  kF32 = 1,
  kU8 = 2,
  kI8 = 3,
  kU16 = 4,
  kI16 = 5,
  kI32 = 6,
  kI64 = 7,
  kString = 8,
  kBool = 9,
  kF16 = 10,
  kF64 = 11,
  kU32 = 12,
  kU64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBF16 = 16,
};

// A constant: packed row-major elements, one byte for a bool.
struct HostTensor {
  ElementType type = kUndefined;
  std::string name;
  std::vector<int64_t> dims;
  std::shared_ptr<const std::string> bytes;

  int64_t count() const {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    return n;
  }
  template <typename T>
  const T *as() const {
    return reinterpret_cast<const T *>(bytes->data());
  }
};

template <typename T>
HostTensor makeTensor(ElementType type, std::vector<int64_t> dims, const std::vector<T> &values, std::string name) {
  HostTensor tensor;
  tensor.type = type;
  tensor.name = std::move(name);
  tensor.dims = std::move(dims);
  tensor.bytes =
      std::make_shared<const std::string>(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
  return tensor;
}

struct OnnxAttribute {
  enum Kind { Int, Float, String, Ints, Floats, Strings, Tensor, Other } kind = Other;
  int64_t i = 0;
  float f = 0;
  std::string s;
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string> strings;
  std::shared_ptr<HostTensor> tensor;
};

struct Node {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;  // "" for one that is left out
  std::map<std::string, OnnxAttribute> attributes;
};

// What is known of a value's type. `form` names what is not a dense tensor ("sequence", "optional", ...).
struct ValueInfo {
  std::string name, form;
  ElementType type = kUndefined;
  bool hasRank = false;
  std::vector<int64_t> dims;         // -1: not known before run time
  std::vector<std::string> symbols;  // of each dimension, "" where there is none
};

struct Model {
  std::vector<Node> nodes;  // in an order in which every input is computed before its use
  std::vector<ValueInfo> inputs, outputs;
  std::map<std::string, HostTensor> constants;
  std::map<std::string, ValueInfo> types;  // as inferred
  std::map<std::string, int64_t> opsets;   // by domain; "" is ONNX's own
};

struct LoadOptions {
  std::map<std::string, std::vector<int64_t>> inputShapes;
  // Operators that the importer lowers itself; every other one with a function body is inlined.
  std::function<bool(const std::string &domain, const std::string &op)> isLowered;
  // Domains whose operators are the user's: nothing is known of their outputs but what the model states.
  std::function<bool(const std::string &domain)> isPlugin;
};

// Fills `model` from the bytes of an .onnx file. On failure returns false and sets `error` (one line, no file name).
bool loadOnnx(const char *data, size_t size, const LoadOptions &options, Model &model, std::string &error);

// "float32", "bool", ...
const char *elementTypeName(int32_t type);
// Bytes of one element in memory; 0 for types without a fixed whole number of bytes.
unsigned elementBytes(int32_t type);

}  // namespace crosscut::onnxir
