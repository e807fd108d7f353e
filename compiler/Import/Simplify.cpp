#include "compiler/Import/Simplify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace crosscut::onnxir {

namespace {

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

struct Folder {
  Model &model;
  std::map<std::string, int> uses;
  std::map<std::string, size_t> producers;

  explicit Folder(Model &model) : model(model) {
    for (size_t i = 0; i < model.nodes.size(); ++i) {
      for (const auto &input : model.nodes[i].inputs) ++uses[input];
      for (const auto &output : model.nodes[i].outputs) producers[output] = i;
    }
    for (const auto &output : model.outputs) uses[output.name] += 2;
  }

  // A float32 vector of n elements, by name; null otherwise.
  const float *vector(const std::string &name, int64_t n) const {
    auto it = model.constants.find(name);
    if (it == model.constants.end() || it->second.type != kF32 || it->second.count() != n) return nullptr;
    return it->second.as<float>();
  }

  // The convolution with constant weights that alone produces `value` for one reader; null otherwise.
  Node *convolution(const std::string &value) {
    auto it = producers.find(value);
    if (it == producers.end() || uses[value] != 1) return nullptr;
    Node &node = model.nodes[it->second];
    if (node.op != "Conv" || !node.domain.empty() || node.inputs.size() < 2) return nullptr;
    auto weights = model.constants.find(node.inputs[1]);
    if (weights == model.constants.end() || weights->second.type != kF32 || weights->second.dims.size() < 3)
      return nullptr;
    if (node.inputs.size() > 2 && !node.inputs[2].empty() && !vector(node.inputs[2], weights->second.dims[0]))
      return nullptr;
    return &node;
  }

  // conv' = conv * factor + offset, a channel at a time.
  void scale(Node &conv, const std::vector<double> &factor, const std::vector<double> &offset, const std::string &out) {
    const HostTensor &weights = model.constants[conv.inputs[1]];
    int64_t channels = weights.dims[0], each = channels ? weights.count() / channels : 0;
    bool hasBias = conv.inputs.size() > 2 && !conv.inputs[2].empty();
    const float *bias = hasBias ? vector(conv.inputs[2], channels) : nullptr;
    std::vector<float> newBias(channels);
    for (int64_t c = 0; c < channels; ++c) newBias[c] = float((bias ? bias[c] : 0.0) * factor[c] + offset[c]);
    bool scales = std::any_of(factor.begin(), factor.end(), [](double f) { return f != 1; });
    if (scales) {
      std::vector<float> scaled(weights.count());
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < each; ++i) scaled[c * each + i] = float(weights.as<float>()[c * each + i] * factor[c]);
      std::string name = out + ".weights";
      model.constants[name] = makeTensor(kF32, weights.dims, scaled, name);
      conv.inputs[1] = name;
    }
    conv.inputs.resize(3);
    conv.inputs[2] = out + ".bias";
    model.constants[conv.inputs[2]] = makeTensor(kF32, {channels}, newBias, conv.inputs[2]);
    producers[out] = &conv - model.nodes.data();
    conv.outputs[0] = out;
  }

  bool foldBatchNorm(Node &node) {
    if (node.inputs.size() != 5) return false;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      if (!node.outputs[i].empty()) return false;
    auto training = node.attributes.find("training_mode");
    if (training != node.attributes.end() && training->second.i) return false;
    Node *conv = convolution(node.inputs[0]);
    if (!conv) return false;
    int64_t channels = model.constants[conv->inputs[1]].dims[0];
    const float *scale = vector(node.inputs[1], channels), *shift = vector(node.inputs[2], channels),
                *mean = vector(node.inputs[3], channels), *variance = vector(node.inputs[4], channels);
    if (!scale || !shift || !mean || !variance) return false;
    auto eps = node.attributes.find("epsilon");
    double epsilon = eps == node.attributes.end() ? 1e-5f : eps->second.f;
    std::vector<double> factor(channels), offset(channels);
    for (int64_t c = 0; c < channels; ++c) {
      factor[c] = scale[c] / std::sqrt(double(variance[c]) + epsilon);
      offset[c] = shift[c] - mean[c] * factor[c];
    }
    this->scale(*conv, factor, offset, node.outputs[0]);
    return true;
  }

  // Add of a constant [C, 1, 1...] (or [1, C, 1...]) to a convolution.
  bool foldAdd(Node &node) {
    if (node.inputs.size() != 2) return false;
    for (int side = 0; side < 2; ++side) {
      Node *conv = convolution(node.inputs[side]);
      auto constant = model.constants.find(node.inputs[1 - side]);
      if (!conv || constant == model.constants.end()) continue;
      const HostTensor &weights = model.constants[conv->inputs[1]];
      int64_t channels = weights.dims[0], rank = weights.dims.size();
      const float *values = vector(node.inputs[1 - side], channels);
      if (!values || channels == 1) continue;
      std::vector<int64_t> dims = constant->second.dims;
      if (int64_t(dims.size()) == rank && dims[0] == 1) dims.erase(dims.begin());
      if (int64_t(dims.size()) != rank - 1 || dims[0] != channels) continue;
      scale(*conv, std::vector<double>(channels, 1), std::vector<double>(values, values + channels), node.outputs[0]);
      return true;
    }
    return false;
  }
};

}  // namespace

void gatherConstants(Model &model) {
  auto isGathered = [&](Node &node) {
    if (node.op != "Constant" || !node.domain.empty() || node.outputs.size() != 1 || node.attributes.size() != 1)
      return false;
    const std::string &name = node.outputs[0];
    auto &[key, a] = *node.attributes.begin();
    int64_t n = 0;
    if (key == "value" && a.tensor) model.constants[name] = *a.tensor;
    else if (key == "value_float") model.constants[name] = makeTensor<float>(kF32, {}, {a.f}, name);
    else if (key == "value_int") model.constants[name] = makeTensor<int64_t>(kI64, {}, {a.i}, name);
    else if (key == "value_floats") n = a.floats.size(), model.constants[name] = makeTensor(kF32, {n}, a.floats, name);
    else if (key == "value_ints") n = a.ints.size(), model.constants[name] = makeTensor(kI64, {n}, a.ints, name);
    else return false;
    return true;
  };
  // A constant under another shape is a constant: exporters write biases that way.
  auto isReshaped = [&](Node &node) {
    if (!node.domain.empty() || node.inputs.empty() || node.outputs.size() != 1) return false;
    bool moves = node.op == "Reshape" || node.op == "Unsqueeze" || node.op == "Squeeze" || node.op == "Flatten";
    if (!moves && node.op != "Identity") return false;
    auto constant = model.constants.find(node.inputs[0]);
    if (constant == model.constants.end()) return false;
    HostTensor tensor = constant->second;
    if (moves) {
      auto type = model.types.find(node.outputs[0]);
      if (type == model.types.end() || !type->second.hasRank) return false;
      int64_t count = 1;
      for (int64_t d : type->second.dims) count *= d;
      if (count != tensor.count() || std::count(type->second.dims.begin(), type->second.dims.end(), -1)) return false;
      tensor.dims = type->second.dims;
    }
    model.constants[node.outputs[0]] = std::move(tensor);
    return true;
  };
  model.nodes.erase(std::remove_if(model.nodes.begin(), model.nodes.end(),
                                   [&](Node &node) { return isGathered(node) || isReshaped(node); }),
                    model.nodes.end());
}

void foldIntoConvolutions(Model &model) {
  Folder folder(model);
  for (Node &node : model.nodes) {
    if (!node.domain.empty()) continue;
    bool folded =
        (node.op == "BatchNormalization" && folder.foldBatchNorm(node)) || (node.op == "Add" && folder.foldAdd(node));
    if (folded) node.outputs.clear();
  }
  model.nodes.erase(
      std::remove_if(model.nodes.begin(), model.nodes.end(), [](const Node &n) { return n.outputs.empty(); }),
      model.nodes.end());
}

void propagateShapesBack(Model &model) {
  static const std::set<std::string> unary = {"Sqrt", "Log", "Exp",  "Abs",      "Neg", "Reciprocal", "Floor",
                                              "Cos",  "Sin", "Cast", "CastLike", "Not", "Tanh",       "Identity"};
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

void dropDeadNodes(Model &model) {
  std::set<std::string> needed;
  for (const auto &output : model.outputs) needed.insert(output.name);
  std::vector<Node> kept;
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                            [&](const std::string &o) { return !o.empty() && needed.count(o); });
    if (!used) continue;
    needed.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  model.nodes = std::move(kept);
}

}  // namespace crosscut::onnxir
