#include "compiler/Import/test/OnnxText.h"

#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

namespace crosscut::test {

static bool parse(const std::string &text, onnx::ModelProto &model, std::string &error) {
  auto status = onnx::OnnxParser::Parse(model, text.c_str());
  if (!status.IsOK()) error = status.ErrorMessage();
  return status.IsOK();
}

std::string onnxBytes(const std::string &text, std::string &error) {
  onnx::ModelProto model;
  return parse(text, model, error) ? model.SerializeAsString() : "";
}

std::string onnxBytesWithExternalData(const std::string &text, const std::string &name, std::string &error) {
  onnx::ModelProto model;
  if (!parse(text, model, error)) return "";
  for (auto &tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() != name) continue;
    tensor.clear_float_data();
    tensor.clear_raw_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    auto &entry = *tensor.add_external_data();
    entry.set_key("location");
    entry.set_value("../weights.bin");
  }
  return model.SerializeAsString();
}

}  // namespace crosscut::test
