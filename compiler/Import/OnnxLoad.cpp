// ONNX bytes → onnxir::Model, through ONNX's own C++ library: parse, check, infer shapes, inline functions, convert old
// opsets. The only file that sees protobuf, and the only one compiled with exceptions and RTTI, which the library
// needs.
//
// Weights are taken out before the library's passes and put back after: the passes copy the model several times, and
// none of them reads more of a weight than its type. Small constants stay, because shape inference propagates them.
#include "compiler/Import/OnnxConvert.h"
#include "compiler/Import/OnnxUnroll.h"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>
#include <onnx/version_converter/convert.h>

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <stdexcept>

namespace crosscut::onnxir {

namespace {

using onnx::TensorProto;

// The oldest opset that the lowerings understand; models before it are converted to kConvertedOpset.
constexpr int64_t kOldestOpset = 7;
constexpr int kConvertedOpset = 13;
// Constants up to this size stay in the model during the library's passes.
constexpr size_t kSmallConstantBytes = 4096;
constexpr int64_t kMaxAxis = 64;
constexpr int64_t kMaxPropagated = 1 << 20;

std::string firstLine(std::string text) {
  // The library's assertions begin with a source position.
  size_t assertion = text.find("failed: ");
  if (assertion != std::string::npos) text.erase(0, assertion + 8);
  std::string line;
  for (char c : text) {
    if (c == '\n' || c == '\r') c = ' ';
    if (c == ' ' && (line.empty() || line.back() == ' ')) continue;
    line += c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// Graph-level Constant nodes of large tensors become initialisers, then large initialisers become inputs of the graph
// while the library works.
class Weights {
 public:
  void strip(onnx::ModelProto &model) {
    auto &graph = *model.mutable_graph();
    for (auto &node : *graph.mutable_node()) {
      if (!isOnnx(node, "Constant") || node.attribute_size() != 1 || node.output_size() != 1) continue;
      auto &attribute = *node.mutable_attribute(0);
      if (attribute.name() != "value" || !attribute.has_t() || attribute.t().ByteSizeLong() <= kSmallConstantBytes)
        continue;
      auto *initializer = graph.add_initializer();
      initializer->Swap(attribute.mutable_t());
      initializer->set_name(node.output(0));
      node.set_op_type("");
    }
    auto &nodes = *graph.mutable_node();
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [](const auto &n) { return n.op_type().empty(); }),
                nodes.end());

    std::set<std::string> inputs;
    for (const auto &input : graph.input()) inputs.insert(input.name());
    google::protobuf::RepeatedPtrField<TensorProto> kept;
    for (auto &initializer : *graph.mutable_initializer()) {
      std::string name = initializer.name();
      if (!names_.insert(name).second) throw LoadError("initializer '" + name + "' is defined twice");
      if (initializer.ByteSizeLong() <= kSmallConstantBytes) {
        *kept.Add() = initializer;
        tensors_[name] = takeTensor(initializer, name);
        continue;
      }
      if (inputs.insert(name).second) {
        auto *input = graph.add_input();
        input->set_name(name);
        auto *type = input->mutable_type()->mutable_tensor_type();
        type->set_elem_type(initializer.data_type());
        for (int64_t d : initializer.dims()) type->mutable_shape()->add_dim()->set_dim_value(d);
        if (!initializer.dims_size()) type->mutable_shape();
      }
      tensors_[name] = takeTensor(initializer, name);
    }
    graph.mutable_initializer()->Swap(&kept);
  }

  bool contains(const std::string &name) const { return names_.count(name); }
  std::map<std::string, HostTensor> &tensors() { return tensors_; }

 private:
  std::set<std::string> names_;
  std::map<std::string, HostTensor> tensors_;
};

// Returns the sizes that named dimensions of the inputs were given.
std::map<std::string, int64_t> applyInputShapes(onnx::GraphProto &graph, const LoadOptions &options,
                                                const Weights &weights) {
  std::map<std::string, int64_t> chosen;
  std::set<std::string> used;
  for (auto &input : *graph.mutable_input()) {
    auto shape = options.inputShapes.find(input.name());
    if (shape == options.inputShapes.end() || weights.contains(input.name())) continue;
    used.insert(input.name());
    if (!input.type().has_tensor_type()) throw LoadError("input '" + input.name() + "' is not a tensor");
    auto &type = *input.mutable_type()->mutable_tensor_type();
    if (type.has_shape() && type.shape().dim_size() != int(shape->second.size()))
      throw LoadError("--input-shape: input '" + input.name() + "' has rank " +
                      std::to_string(type.shape().dim_size()) + ", not " + std::to_string(shape->second.size()));
    bool hadShape = type.has_shape();
    for (size_t d = 0; d < shape->second.size(); ++d) {
      int64_t size = shape->second[d];
      if (size < 0) throw LoadError("--input-shape: input '" + input.name() + "' has a negative dimension");
      auto *dim = hadShape ? type.mutable_shape()->mutable_dim(int(d)) : type.mutable_shape()->add_dim();
      if (dim->has_dim_value() && dim->dim_value() > 0 && dim->dim_value() != size)
        throw LoadError("--input-shape: dimension " + std::to_string(d) + " of input '" + input.name() + "' is " +
                        std::to_string(dim->dim_value()) + " in the model, not " + std::to_string(size));
      if (dim->has_dim_param()) chosen[dim->dim_param()] = size;
      dim->set_dim_value(size);
    }
    if (shape->second.empty()) type.mutable_shape();
  }
  for (const auto &shape : options.inputShapes)
    if (!used.count(shape.first)) throw LoadError("--input-shape: the model has no input '" + shape.first + "'");
  return chosen;
}

// What the file states of other values may contradict the shapes that the user chose. Of plugins' outputs there is
// nothing else to go by: there, names of dimensions take the sizes that were chosen for them.
void forgetShapes(onnx::ModelProto &model, const LoadOptions &options, const std::map<std::string, int64_t> &chosen) {
  auto &graph = *model.mutable_graph();
  std::set<std::pair<std::string, std::string>> functions;  // of the model itself
  for (const auto &function : model.functions()) functions.insert({function.domain(), function.name()});
  std::set<std::string> stated;
  for (const auto &node : graph.node())
    if (options.isPlugin(node.domain()) && !functions.count({node.domain(), node.op_type()}))
      stated.insert(node.output().begin(), node.output().end());
  auto substitute = [&](onnx::ValueInfoProto &info) {
    for (auto &dim : *info.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim())
      if (auto size = chosen.find(dim.dim_param()); dim.has_dim_param() && size != chosen.end())
        dim.set_dim_value(size->second);
  };
  auto &infos = *graph.mutable_value_info();
  infos.erase(std::remove_if(infos.begin(), infos.end(), [&](const auto &i) { return !stated.count(i.name()); }),
              infos.end());
  for (auto &info : infos)
    if (info.type().tensor_type().has_shape()) substitute(info);
  for (auto &output : *graph.mutable_output()) {
    if (!output.type().has_tensor_type()) continue;
    if (!stated.count(output.name())) output.mutable_type()->mutable_tensor_type()->clear_shape();
    else if (output.type().tensor_type().has_shape()) substitute(output);
  }
}

// LayerNormalization's second and third output, which the library's inference writes without looking at the axis.
class StatisticsOutputs {
 public:
  explicit StatisticsOutputs(onnx::GraphProto &graph) : graph_(graph) {
    for (auto &node : *graph.mutable_node()) {
      if (!isOnnx(node, "LayerNormalization") || node.output_size() < 2) continue;
      auto &taken = taken_[node.output(0)];
      for (int i = 1; i < node.output_size(); ++i) taken.push_back(node.output(i));
      while (node.output_size() > 1) node.mutable_output()->RemoveLast();
    }
  }
  ~StatisticsOutputs() {
    for (auto &node : *graph_.mutable_node())
      if (auto it = node.output_size() ? taken_.find(node.output(0)) : taken_.end(); it != taken_.end())
        for (const auto &output : it->second) node.add_output(output);
  }

 private:
  onnx::GraphProto &graph_;
  std::map<std::string, std::vector<std::string>> taken_;
};

void inferShapes(onnx::ModelProto &model) {
  // The library propagates a one-dimensional integer input element by element, however long it is.
  bool propagate = true;
  for (const auto &input : model.graph().input()) {
    const auto &shape = input.type().tensor_type().shape();
    propagate &= shape.dim_size() != 1 || shape.dim(0).dim_value() <= kMaxPropagated;
  }
  StatisticsOutputs statistics(*model.mutable_graph());
  onnx::ShapeInferenceOptions options(/*check_type=*/true, /*strict_mode=*/0, propagate);
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
}

// What the library's checker lets pass and its later steps, or ours, would trip over.
void checkNodes(const onnx::ModelProto &model) {
  auto fail = [](const onnx::NodeProto &node, const std::string &what) {
    throw LoadError("node '" + (node.name().empty() && node.output_size() ? node.output(0) : node.name()) + "' (" +
                    node.op_type() + "): " + what);
  };
  int64_t opset = 0;
  for (const auto &import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
  for (const auto &node : model.graph().node()) {
    for (const auto &attribute : node.attribute()) {
      bool isAxis = attribute.name() == "axis" || attribute.name() == "batch_axis" || attribute.name() == "time_axis";
      int64_t low = isAxis ? -kMaxAxis : 0;
      if ((isAxis || attribute.name() == "batch_dims") && (attribute.i() < low || attribute.i() > kMaxAxis))
        fail(node, attribute.name() + " " + std::to_string(attribute.i()) + " is out of range");
    }
    if (!node.domain().empty() && node.domain() != "ai.onnx") continue;
    const auto *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), int(opset));
    if (!schema) continue;
    const auto &formals = schema->inputs();
    for (int i = 0; i < node.input_size(); ++i) {
      size_t formal = std::min(size_t(i), formals.empty() ? 0 : formals.size() - 1);
      if (!node.input(i).empty() || formals.empty()) continue;
      if (formals[formal].GetOption() != onnx::OpSchema::Optional)
        fail(node, "input " + std::to_string(i) + " is missing");
    }
  }
}

struct NotLowered : onnx::inliner::FunctionIdSet {
  const LoadOptions &options;
  explicit NotLowered(const LoadOptions &options) : options(options) {}
  bool Contains(const std::string &domain, const std::string &op) const override {
    return !options.isLowered(domain == "ai.onnx" ? "" : domain, op);
  }
};

int64_t onnxOpset(const onnx::ModelProto &model) {
  for (const auto &import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  return 0;
}

// True when inlining could change `model`: a local function, or a node that has a function body and is not lowered.
bool needsInlining(const onnx::ModelProto &model, const LoadOptions &options) {
  if (model.functions_size()) return true;
  int64_t opset = onnxOpset(model);
  for (const auto &node : model.graph().node()) {
    if (options.isLowered(node.domain() == "ai.onnx" ? "" : node.domain(), node.op_type())) continue;
    const auto *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), int(opset), node.domain());
    if (schema && (schema->HasFunction() || schema->HasContextDependentFunction())) return true;
  }
  return false;
}

// The inliner reads types from value_info and throws where an initialiser has none, leaving the model half done.
void addInitializerTypes(onnx::GraphProto &graph) {
  std::set<std::string> known;
  for (const auto &info : graph.value_info()) known.insert(info.name());
  // It also asks for the type of an input that is left out.
  if (known.insert("").second) graph.add_value_info()->mutable_type();
  for (const auto &info : graph.input()) known.insert(info.name());
  for (const auto &initializer : graph.initializer()) {
    if (!known.insert(initializer.name()).second) continue;
    auto *info = graph.add_value_info();
    info->set_name(initializer.name());
    auto *type = info->mutable_type()->mutable_tensor_type();
    type->set_elem_type(initializer.data_type());
    type->mutable_shape();
    for (int64_t d : initializer.dims()) type->mutable_shape()->add_dim()->set_dim_value(d);
  }
}

// The inliner leaves an attribute of a function's body unset where the node relies on its default.
void addDefaultAttributes(onnx::ModelProto &model, const LoadOptions &options) {
  int64_t opset = onnxOpset(model);
  for (auto &node : *model.mutable_graph()->mutable_node()) {
    if (options.isLowered(node.domain() == "ai.onnx" ? "" : node.domain(), node.op_type())) continue;
    const auto *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), int(opset), node.domain());
    if (!schema) continue;
    std::set<std::string> given;
    for (auto &attribute : *node.mutable_attribute()) {
      given.insert(attribute.name());
      // Attention's softmax in float64 is computed in float32: the other types of the importer have no float64.
      if (attribute.name() == "softmax_precision" && attribute.i() == onnx::TensorProto::DOUBLE)
        attribute.set_i(onnx::TensorProto::FLOAT);
    }
    for (const auto &[name, attribute] : schema->attributes())
      if (attribute.default_value.has_type() && given.insert(name).second)
        *node.add_attribute() = attribute.default_value;
  }
}

void inlineFunctions(onnx::ModelProto &model, const LoadOptions &options) {
  // A function's body may use other functions; the library inlines local ones transitively, schema ones not always.
  for (int round = 0; round < 4 && needsInlining(model, options); ++round) {
    onnx::ModelProto copy = model;
    addDefaultAttributes(copy, options);
    addInitializerTypes(*copy.mutable_graph());
    if (copy.functions_size()) {
      onnx::inliner::InlineLocalFunctions(copy, /*convert_version=*/true);
      inferShapes(copy);
      addInitializerTypes(*copy.mutable_graph());
    }
    if (copy.functions_size()) throw LoadError("function '" + copy.functions(0).name() + "' can not be inlined");
    onnx::inliner::InlineSelectedFunctions(copy, NotLowered(options), nullptr);
    auto &infos = *copy.mutable_graph()->mutable_value_info();
    infos.erase(std::remove_if(infos.begin(), infos.end(), [](const auto &i) { return i.name().empty(); }),
                infos.end());
    inferShapes(copy);
    model.Swap(&copy);
  }
}

}  // namespace

bool loadOnnx(const char *data, size_t size, const LoadOptions &options, Model &model, std::string &error) {
  google::protobuf::SetLogHandler(nullptr);
  const char *phase = "not an ONNX model";
  try {
    onnx::ModelProto proto;
    if (size > size_t(INT32_MAX)) throw LoadError("files of 2 GB and more are not supported");
    if (!proto.ParseFromArray(data, int(size)) || !proto.has_graph()) throw LoadError("the bytes can not be parsed");
    phase = "invalid model";
    if (!onnxOpset(proto) && proto.opset_import_size() == 0) throw LoadError("the model names no opset");
    Weights weights;
    weights.strip(proto);
    auto chosen = applyInputShapes(*proto.mutable_graph(), options, weights);
    onnx::checker::check_model(proto);
    checkNodes(proto);
    phase = "shape inference";
    if (!options.inputShapes.empty()) forgetShapes(proto, options, chosen);
    inferShapes(proto);
    phase = "function inlining";
    inlineFunctions(proto, options);
    // A body that is written out may hold further functions and loops.
    for (int round = 0; round < 8 && unrollControlFlow(proto); ++round) {
      inferShapes(proto);
      inlineFunctions(proto, options);
    }
    if (onnxOpset(proto) && onnxOpset(proto) < kOldestOpset) {
      phase = "conversion from an old opset";
      proto = onnx::version_conversion::ConvertVersion(proto, kConvertedOpset);
      inferShapes(proto);
    }
    phase = "invalid model";
    checkNodes(proto);
    convertModel(proto, std::move(weights.tensors()), model);
    return true;
  } catch (const std::exception &e) {
    error = std::string(phase) + ": " + firstLine(e.what());
  } catch (...) {
    error = std::string(phase) + ": unknown error";
  }
  return false;
}

}  // namespace crosscut::onnxir
