#include "compiler/Import/OnnxConvert.h"

namespace crosscut::onnxir {

using onnx::TensorProto;

namespace {

template <typename To, typename From>
void packInto(std::string &out, const From &values) {
  out.reserve(values.size() * sizeof(To));
  for (auto v : values) {
    To to = static_cast<To>(v);
    out.append(reinterpret_cast<const char *>(&to), sizeof to);
  }
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
    case onnx::AttributeProto::INT:
      attribute.kind = OnnxAttribute::Int;
      attribute.i = proto.i();
      break;
    case onnx::AttributeProto::FLOAT:
      attribute.kind = OnnxAttribute::Float;
      attribute.f = proto.f();
      break;
    case onnx::AttributeProto::STRING:
      attribute.kind = OnnxAttribute::String;
      attribute.s = proto.s();
      break;
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

}  // namespace

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
      case kU16:
      case kF16:
      case kBF16: packInto<uint16_t>(bytes, proto.int32_data()); break;
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

void convertModel(onnx::ModelProto &proto, std::map<std::string, HostTensor> weights, Model &model) {
  auto &graph = *proto.mutable_graph();
  for (const auto &import : proto.opset_import())
    model.opsets[import.domain() == "ai.onnx" ? "" : import.domain()] = import.version();
  model.constants = std::move(weights);
  // Conversion and inlining may have added constants of their own.
  for (auto &initializer : *graph.mutable_initializer()) {
    std::string name = initializer.name();
    if (!model.constants.count(name)) model.constants[name] = takeTensor(initializer, name);
  }
  if (graph.sparse_initializer_size()) throw LoadError("sparse initializers are not supported");
  for (const auto &input : graph.input()) {
    ValueInfo info = convertValueInfo(input);
    model.types[info.name] = info;
    if (!model.constants.count(info.name)) model.inputs.push_back(std::move(info));
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
}

const char *elementTypeName(int32_t type) {
  static const char *const names[] = {"undefined", "float32", "uint8",     "int8",       "uint16",  "int16",
                                      "int32",     "int64",   "string",    "bool",       "float16", "float64",
                                      "uint32",    "uint64",  "complex64", "complex128", "bfloat16"};
  if (type >= 0 && type < int32_t(sizeof names / sizeof *names)) return names[type];
  return type <= 20 ? "float8" : "a sub-byte type";
}

unsigned elementBytes(int32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool: return 1;
    case kU16:
    case kI16:
    case kF16:
    case kBF16: return 2;
    case kF32:
    case kI32:
    case kU32: return 4;
    case kF64:
    case kI64:
    case kU64: return 8;
    default: return 0;
  }
}

}  // namespace crosscut::onnxir
