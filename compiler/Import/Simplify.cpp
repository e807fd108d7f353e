#include "compiler/Import/Simplify.h"

#include <algorithm>
#include <set>

namespace crosscut::onnxir {

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
