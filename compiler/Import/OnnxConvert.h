// Protobuf → plain data. Only the files that are compiled with exceptions and RTTI include this.
#pragma once

#include <onnx/onnx_pb.h>

#include <stdexcept>

#include "compiler/Import/OnnxModel.h"

namespace crosscut::onnxir {

struct LoadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Whether the node is of ONNX's own operator `op`, not of another domain's of the same name.
inline bool isOnnx(const onnx::NodeProto &node, const char *op) {
  return node.op_type() == op && (node.domain().empty() || node.domain() == "ai.onnx");
}

// Takes the contents of `proto` (its raw bytes are moved out, not copied). Throws LoadError.
HostTensor takeTensor(onnx::TensorProto &proto, const std::string &name);
// Consumes `proto`, whose large constants are in `weights`. Throws LoadError.
void convertModel(onnx::ModelProto &proto, std::map<std::string, HostTensor> weights, Model &model);

}  // namespace crosscut::onnxir
