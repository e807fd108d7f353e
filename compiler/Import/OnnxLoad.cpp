// ONNX bytes → onnxir::Model, through ONNX's own C++ library: parse, check, infer shapes, inline functions, convert old
// opsets. The only file that sees protobuf, and the only one compiled with exceptions and RTTI, which the library needs.
//
// Weights are taken out before the library's passes and put back after: the passes copy the model several times, and
// none of them reads more of a weight than its type. Small constants stay, because shape inference propagates them.
#include "compiler/Import/OnnxModel.h"
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

struct LoadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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

template <typename To, typename From>
void packInto(std::string &out, const From &values) {
  out.reserve(values.size() * sizeof(To));
  for (auto v : values) {
    To to = static_cast<To>(v);
    out.append(reinterpret_cast<const char *>(&to), sizeof to);
  }
}

// Takes the contents of `proto` (its raw bytes are moved out, not copied).
HostTensor takeTensor(TensorProto &proto, const std::string &name) {
  HostTensor tensor;
  tensor.name = name;
  tensor.type = static_cast<ElementType>(proto.data_type());
  if (proto.data_location() == TensorProto::EXTERNAL || proto.external_data_size())
    throw LoadError("tensor '" + name + "' is stored in an external file, which is not supported");
  uint64_t count = 1;
  for (int64_t d : proto.dims()) {
    if (d < 0 || (d && count > (uint64_t(1) << 40) / uint64_t(d)))
      throw LoadError("tensor '" + name + "' has an impossible shape");
    count *= uint64_t(d);
    tensor.dims.push_back(d);
  }
  std::string bytes;
  unsigned size = elementBytes(tensor.type);
  if (!size) {
    // Strings, complex and sub-byte types: kept without contents, refused by name where they are used.
    tensor.bytes = std::make_shared<const std::string>();
    return tensor;
  }
  if (proto.has_raw_data()) {
    bytes = std::move(*proto.mutable_raw_data());
  } else {
    switch (tensor.type) {
      case kF32: packInto<float>(bytes, proto.float_data()); break;
      case kF64: packInto<double>(bytes, proto.double_data()); break;
      case kI64: packInto<int64_t>(bytes, proto.int64_data()); break;
      case kU64: packInto<uint64_t>(bytes, proto.uint64_data()); break;
      case kU32: packInto<uint32_t>(bytes, proto.uint64_data()); break;
      case kI32: packInto<int32_t>(bytes, proto.int32_data()); break;
      case kI16: packInto<int16_t>(bytes, proto.int32_data()); break;
      case kU16: case kF16: case kBF16: packInto<uint16_t>(bytes, proto.int32_data()); break;
      case kI8: packInto<int8_t>(bytes, proto.int32_data()); break;
      case kU8: packInto<uint8_t>(bytes, proto.int32_data()); break;
      case kBool: packInto<uint8_t>(bytes, proto.int32_data()); break;
      default: break;
    }
  }
  if (bytes.size() != count * size)
    throw LoadError("tensor '" + name + "' has " + std::to_string(bytes.size()) + " bytes, its shape needs " +
                    std::to_string(count * size));
  if (tensor.type == kBool)
    for (char &c : bytes) c = c != 0;
  tensor.bytes = std::make_shared<const std::string>(std::move(bytes));
  return tensor;
}

ValueInfo convertValueInfo(const onnx::ValueInfoProto &proto) {
  ValueInfo info;
  info.name = proto.name();
  const auto &type = proto.type();
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType: break;
    case onnx::TypeProto::kSequenceType: info.form = "sequence"; return info;
    case onnx::TypeProto::kMapType: info.form = "map"; return info;
    case onnx::TypeProto::kOptionalType: info.form = "optional"; return info;
    case onnx::TypeProto::kSparseTensorType: info.form = "sparse tensor"; return info;
    default: return info;
  }
  info.type = static_cast<ElementType>(type.tensor_type().elem_type());
  if (type.tensor_type().has_shape()) {
    info.hasRank = true;
    for (const auto &dim : type.tensor_type().shape().dim()) {
      info.dims.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : -1);
      info.symbols.push_back(dim.has_dim_param() ? dim.dim_param() : "");
    }
  }
  return info;
}

OnnxAttribute convertAttribute(onnx::AttributeProto &proto, const Node &node) {
  OnnxAttribute attribute;
  switch (proto.type()) {
    case onnx::AttributeProto::INT: attribute.kind = OnnxAttribute::Int; attribute.i = proto.i(); break;
    case onnx::AttributeProto::FLOAT: attribute.kind = OnnxAttribute::Float; attribute.f = proto.f(); break;
    case onnx::AttributeProto::STRING: attribute.kind = OnnxAttribute::String; attribute.s = proto.s(); break;
    case onnx::AttributeProto::INTS:
      attribute.kind = OnnxAttribute::Ints;
      attribute.ints.assign(proto.ints().begin(), proto.ints().end());
      break;
    case onnx::AttributeProto::FLOATS:
      attribute.kind = OnnxAttribute::Floats;
      attribute.floats.assign(proto.floats().begin(), proto.floats().end());
      break;
    case onnx::AttributeProto::STRINGS:
      attribute.kind = OnnxAttribute::Strings;
      attribute.strings.assign(proto.strings().begin(), proto.strings().end());
      break;
    case onnx::AttributeProto::TENSOR:
      attribute.kind = OnnxAttribute::Tensor;
      attribute.tensor = std::make_shared<HostTensor>(
          takeTensor(*proto.mutable_t(), node.outputs.empty() ? node.name : node.outputs[0]));
      break;
    default: break;
  }
  return attribute;
}

// Graph-level Constant nodes of large tensors become initialisers, then large initialisers become inputs of the graph
// while the library works.
class Weights {
 public:
  void strip(onnx::ModelProto &model) {
    auto &graph = *model.mutable_graph();
    for (auto &node : *graph.mutable_node()) {
      if (node.op_type() != "Constant" || node.attribute_size() != 1 || node.output_size() != 1) continue;
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

void applyInputShapes(onnx::GraphProto &graph, const LoadOptions &options, const Weights &weights) {
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
      dim->set_dim_value(size);
    }
    if (shape->second.empty()) type.mutable_shape();
  }
  for (const auto &shape : options.inputShapes)
    if (!used.count(shape.first)) throw LoadError("--input-shape: the model has no input '" + shape.first + "'");
}

// What the file states of other values may contradict the shapes that the user chose.
void forgetShapes(onnx::GraphProto &graph) {
  graph.clear_value_info();
  for (auto &output : *graph.mutable_output())
    if (output.type().has_tensor_type()) output.mutable_type()->mutable_tensor_type()->clear_shape();
}

void inferShapes(onnx::ModelProto &model) {
  onnx::ShapeInferenceOptions options(/*check_type=*/true, /*strict_mode=*/0, /*data_prop=*/true);
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
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
    for (const auto &attribute : node.attribute()) given.insert(attribute.name());
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

// A result's stated shape tells the shapes of what it was computed from, where operators keep shapes: function bodies
// end in such operators, and what is before them may have a shape that only run time tells otherwise.
void propagateShapesBack(Model &model) {
  static const std::set<std::string> unary = {"Sqrt", "Log",  "Exp",      "Abs", "Neg", "Reciprocal", "Floor", "Cos",
                                              "Sin",  "Cast", "CastLike", "Not", "Tanh", "Identity"};
  static const std::set<std::string> binary = {"Add", "Sub", "Mul", "Div", "Pow"};
  std::map<std::string, int64_t> solved;
  auto known = [](const ValueInfo &v) {
    return v.hasRank && std::find(v.dims.begin(), v.dims.end(), -1) == v.dims.end();
  };
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    bool isUnary = unary.count(node->op) && !node->inputs.empty();
    if (!node->domain.empty() || (!isUnary && !binary.count(node->op))) continue;
    auto out = model.types.find(node->outputs[0]);
    if (out == model.types.end() || !known(out->second)) continue;
    const std::vector<int64_t> dims = out->second.dims;
    if (isUnary) {
      ValueInfo &in = model.types[node->inputs[0]];
      if (known(in) || !in.form.empty()) continue;
      for (size_t d = 0; d < in.symbols.size() && d < dims.size(); ++d)
        if (!in.symbols[d].empty()) solved[in.symbols[d]] = dims[d];
      in.hasRank = true;
      in.dims = dims;
      continue;
    }
    // Of two operands either both have the dimension's symbol, or the other one has a single element.
    const ValueInfo &a = model.types[node->inputs[0]], &b = model.types[node->inputs[1]];
    auto symbol = [&](const ValueInfo &v, size_t fromEnd) {
      size_t n = v.symbols.size();
      return v.hasRank && fromEnd < n && v.dims[n - 1 - fromEnd] < 0 ? v.symbols[n - 1 - fromEnd] : std::string();
    };
    auto isOne = [&](const ValueInfo &v, size_t fromEnd) {
      return v.hasRank && (fromEnd >= v.dims.size() || v.dims[v.dims.size() - 1 - fromEnd] == 1);
    };
    for (size_t d = 0; d < dims.size(); ++d) {
      std::string sa = symbol(a, d), sb = symbol(b, d);
      int64_t size = dims[dims.size() - 1 - d];
      if (!sa.empty() && (sa == sb || isOne(b, d))) solved[sa] = size;
      if (!sb.empty() && isOne(a, d)) solved[sb] = size;
    }
  }
  if (solved.empty()) return;
  std::set<std::string> inputs;
  for (const auto &input : model.inputs)
    for (const auto &symbol : input.symbols) inputs.insert(symbol);
  for (auto &[name, info] : model.types)
    for (size_t d = 0; d < info.symbols.size() && d < info.dims.size(); ++d)
      if (auto it = solved.find(info.symbols[d]); info.dims[d] < 0 && it != solved.end() && !inputs.count(it->first))
        info.dims[d] = it->second;
}

void fillModel(onnx::ModelProto &proto, Weights &weights, Model &model) {
  auto &graph = *proto.mutable_graph();
  for (const auto &import : proto.opset_import())
    model.opsets[import.domain() == "ai.onnx" ? "" : import.domain()] = import.version();
  model.constants = std::move(weights.tensors());
  // Conversion and inlining may have added constants of their own.
  for (auto &initializer : *graph.mutable_initializer()) {
    std::string name = initializer.name();
    if (!model.constants.count(name)) model.constants[name] = takeTensor(initializer, name);
  }
  if (graph.sparse_initializer_size()) throw LoadError("sparse initializers are not supported");
  for (const auto &input : graph.input()) {
    ValueInfo info = convertValueInfo(input);
    model.types[info.name] = info;
    if (!weights.contains(info.name)) model.inputs.push_back(std::move(info));
  }
  for (const auto &value : graph.value_info()) model.types[value.name()] = convertValueInfo(value);
  for (const auto &output : graph.output()) {
    ValueInfo info = convertValueInfo(output);
    model.types[info.name] = info;
    model.outputs.push_back(std::move(info));
  }
  for (auto &from : *graph.mutable_node()) {
    Node node;
    node.name = from.name();
    node.op = from.op_type();
    node.domain = from.domain() == "ai.onnx" ? "" : from.domain();
    node.inputs.assign(from.input().begin(), from.input().end());
    node.outputs.assign(from.output().begin(), from.output().end());
    for (auto &attribute : *from.mutable_attribute())
      node.attributes[attribute.name()] = convertAttribute(attribute, node);
    model.nodes.push_back(std::move(node));
  }
  propagateShapesBack(model);
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
    applyInputShapes(*proto.mutable_graph(), options, weights);
    onnx::checker::check_model(proto);
    phase = "shape inference";
    if (!options.inputShapes.empty()) forgetShapes(*proto.mutable_graph());
    inferShapes(proto);
    phase = "function inlining";
    inlineFunctions(proto, options);
    // A body that is written out may hold further functions and loops.
    for (int round = 0; round < 4 && unrollControlFlow(proto); ++round) {
      inferShapes(proto);
      inlineFunctions(proto, options);
    }
    if (onnxOpset(proto) && onnxOpset(proto) < kOldestOpset) {
      phase = "conversion from an old opset";
      proto = onnx::version_conversion::ConvertVersion(proto, kConvertedOpset);
      inferShapes(proto);
    }
    phase = "invalid model";
    fillModel(proto, weights, model);
    return true;
  } catch (const std::exception &e) {
    error = std::string(phase) + ": " + firstLine(e.what());
  } catch (...) {
    error = std::string(phase) + ": unknown error";
  }
  return false;
}

const char *elementTypeName(int32_t type) {
  static const char *const names[] = {"undefined", "float32", "uint8",   "int8",    "uint16", "int16",
                                      "int32",     "int64",   "string",  "bool",    "float16", "float64",
                                      "uint32",    "uint64",  "complex64", "complex128", "bfloat16"};
  if (type >= 0 && type < int32_t(sizeof names / sizeof *names)) return names[type];
  return type <= 20 ? "float8" : "a sub-byte type";
}

unsigned elementBytes(int32_t type) {
  switch (type) {
    case kU8: case kI8: case kBool: return 1;
    case kU16: case kI16: case kF16: case kBF16: return 2;
    case kF32: case kI32: case kU32: return 4;
    case kF64: case kI64: case kU64: return 8;
    default: return 0;
  }
}

}  // namespace crosscut::onnxir
