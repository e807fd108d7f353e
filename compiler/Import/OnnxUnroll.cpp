#include "compiler/Import/OnnxUnroll.h"

#include "compiler/Import/OnnxConvert.h"

#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace crosscut::onnxir {

namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::NodeProto;
using Names = std::vector<std::string>;

// More copies than this would make the module larger than the loop it replaces is worth.
constexpr int64_t kMaxSteps = 256;

const AttributeProto *attribute(const NodeProto &node, const char *name) {
  for (const auto &a : node.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}
std::vector<int64_t> ints(const NodeProto &node, const char *name, size_t count) {
  std::vector<int64_t> result;
  if (const auto *a = attribute(node, name)) result.assign(a->ints().begin(), a->ints().end());
  result.resize(count);
  return result;
}

class Unroller {
 public:
  Unroller(onnx::ModelProto &model) : graph_(*model.mutable_graph()) {
    for (const auto &import : model.opset_import())
      if (import.domain().empty() || import.domain() == "ai.onnx") opset_ = import.version();
    for (const auto &v : graph_.value_info()) types_[v.name()] = &v.type();
    for (const auto &v : graph_.input()) types_[v.name()] = &v.type();
    for (const auto &v : graph_.output()) types_[v.name()] = &v.type();
    for (const auto &t : graph_.initializer()) constants_[t.name()] = &t;
    for (const auto &n : graph_.node())
      if (isOnnx(n, "Constant") && n.attribute_size() == 1 && n.attribute(0).has_t() && n.output_size() == 1)
        constants_[n.output(0)] = &n.attribute(0).t();
  }

  bool run() {
    bool changed = false;
    google::protobuf::RepeatedPtrField<NodeProto> before;
    before.Swap(graph_.mutable_node());
    for (auto &node : before) {
      bool done = node.domain().empty() &&
                  ((node.op_type() == "Scan" && unrollScan(node)) || (node.op_type() == "Loop" && unrollLoop(node)) ||
                   (node.op_type() == "If" && inlineIf(node)));
      if (!done) graph_.add_node()->Swap(&node);
      changed |= done;
    }
    return changed;
  }

 private:
  GraphProto &graph_;
  int64_t opset_ = 0;
  std::map<std::string, const onnx::TypeProto *> types_;
  std::map<std::string, const onnx::TensorProto *> constants_;
  int64_t copies_ = 0;

  std::string fresh(const std::string &base) { return base + "@" + std::to_string(copies_++); }

  std::optional<int64_t> dim(const std::string &value, int64_t axis) {
    auto it = types_.find(value);
    if (it == types_.end() || !it->second->has_tensor_type()) return std::nullopt;
    const auto &shape = it->second->tensor_type().shape();
    if (axis < 0) axis += shape.dim_size();
    if (axis < 0 || axis >= shape.dim_size() || !shape.dim(int(axis)).has_dim_value()) return std::nullopt;
    return shape.dim(int(axis)).dim_value();
  }

  // The single integer or bool that a value is, if it is constant.
  std::optional<int64_t> constant(const std::string &value) {
    auto it = constants_.find(value);
    if (it == constants_.end()) return std::nullopt;
    const onnx::TensorProto &t = *it->second;
    for (int64_t d : t.dims())
      if (d != 1) return std::nullopt;
    if (t.data_type() == onnx::TensorProto::INT64) {
      if (t.int64_data_size() == 1) return t.int64_data(0);
      int64_t v;
      if (t.raw_data().size() != sizeof v) return std::nullopt;
      std::memcpy(&v, t.raw_data().data(), sizeof v);
      return v;
    }
    if (t.data_type() == onnx::TensorProto::BOOL) {
      if (t.int32_data_size() == 1) return t.int32_data(0) != 0;
      if (t.raw_data().size() == 1) return t.raw_data()[0] != 0;
    }
    return std::nullopt;
  }

  NodeProto &add(const char *op, const Names &inputs, const std::string &output) {
    NodeProto &node = *graph_.add_node();
    node.set_op_type(op);
    node.set_name(output);
    for (const auto &i : inputs) node.add_input(i);
    node.add_output(output);
    return node;
  }
  static void setInt(NodeProto &node, const char *name, int64_t value) {
    auto &a = *node.add_attribute();
    a.set_name(name);
    a.set_type(AttributeProto::INT);
    a.set_i(value);
  }
  std::string addConstant(const std::string &base, int64_t value, bool vector) {
    auto &t = *graph_.add_initializer();
    t.set_name(fresh(base));
    t.set_data_type(onnx::TensorProto::INT64);
    if (vector) t.add_dims(1);
    t.add_int64_data(value);
    return t.name();
  }
  std::string take(const std::string &value, int64_t index, int64_t axis) {
    std::string name = fresh(value);
    setInt(add("Gather", {value, addConstant(value, index, false)}, name), "axis", axis);
    return name;
  }
  // Stacks values of one shape along a new axis.
  void stack(const Names &values, int64_t axis, const std::string &output) {
    Names parts;
    for (const auto &value : values) {
      std::string part = fresh(value);
      if (opset_ >= 13) {
        add("Unsqueeze", {value, addConstant(value, axis, true)}, part);
      } else {
        auto &a = *add("Unsqueeze", {value}, part).add_attribute();
        a.set_name("axes");
        a.set_type(AttributeProto::INTS);
        a.add_ints(axis);
      }
      parts.push_back(part);
    }
    setInt(add("Concat", parts, output), "axis", axis);
  }

  using Renaming = std::map<std::string, std::string>;
  static void renameUses(NodeProto &node, const Renaming &names) {
    for (auto &input : *node.mutable_input())
      if (auto it = names.find(input); it != names.end()) input = it->second;
    for (auto &a : *node.mutable_attribute())
      if (a.has_g())
        for (auto &inner : *a.mutable_g()->mutable_node()) renameUses(inner, names);
  }

  // One copy of a body: its inputs are `inputs`; returns the names of its outputs.
  Names copyBody(const GraphProto &body, const Names &inputs) {
    Renaming names;
    for (int i = 0; i < body.input_size() && i < int(inputs.size()); ++i) names[body.input(i).name()] = inputs[i];
    for (const auto &t : body.initializer()) {
      auto &copy = *graph_.add_initializer();
      copy = t;
      copy.set_name(names[t.name()] = fresh(t.name()));
    }
    for (const auto &from : body.node()) {
      NodeProto node = from;
      renameUses(node, names);
      for (auto &output : *node.mutable_output())
        if (!output.empty()) output = names[output] = fresh(output);
      if (!node.name().empty()) node.set_name(fresh(node.name()));
      graph_.add_node()->Swap(&node);
    }
    Names outputs;
    for (const auto &output : body.output()) {
      auto it = names.find(output.name());
      outputs.push_back(it == names.end() ? output.name() : it->second);
    }
    return outputs;
  }

  bool inlineIf(const NodeProto &node) {
    auto condition = constant(node.input(0));
    const auto *branch = condition ? attribute(node, *condition ? "then_branch" : "else_branch") : nullptr;
    if (!branch || branch->g().output_size() != node.output_size()) return false;
    Names outputs = copyBody(branch->g(), {});
    for (int i = 0; i < node.output_size(); ++i)
      if (!node.output(i).empty()) add("Identity", {outputs[i]}, node.output(i));
    return true;
  }

  // Runs `steps` copies; collects what each gives to the scan outputs.
  void scan(const GraphProto &body, Names &states, const Names &scanned, const std::vector<int64_t> &axes,
            const std::vector<int64_t> &directions, int64_t steps, std::vector<Names> &collected) {
    for (int64_t t = 0; t < steps; ++t) {
      Names inputs = states;
      for (size_t j = 0; j < scanned.size(); ++j)
        inputs.push_back(take(scanned[j], directions[j] ? steps - 1 - t : t, axes[j]));
      Names outputs = copyBody(body, inputs);
      for (size_t k = 0; k < collected.size(); ++k) collected[k].push_back(outputs[states.size() + k]);
      states.assign(outputs.begin(), outputs.begin() + states.size());
    }
  }

  bool unrollScan(const NodeProto &node) {
    const auto *body = attribute(node, "body"), *count = attribute(node, "num_scan_inputs");
    if (!body || !count) return false;
    bool batched = opset_ < 9;
    int first = batched ? 1 : 0;
    if (batched && !node.input(0).empty()) return false;
    int64_t scanInputs = count->i(), stateCount = node.input_size() - first - scanInputs;
    int64_t scanOutputs = node.output_size() - stateCount;
    if (scanInputs < 1 || stateCount < 0 || scanOutputs < 0 || body->g().input_size() != stateCount + scanInputs ||
        body->g().output_size() != stateCount + scanOutputs)
      return false;
    auto axes = ints(node, "scan_input_axes", scanInputs);
    auto directions = ints(node, batched ? "directions" : "scan_input_directions", scanInputs);
    auto outAxes = ints(node, "scan_output_axes", scanOutputs);
    auto outDirections = ints(node, "scan_output_directions", scanOutputs);
    Names states(node.input().begin() + first, node.input().begin() + first + stateCount),
        scanned(node.input().begin() + first + stateCount, node.input().end());
    auto steps = dim(scanned[0], batched ? 1 : axes[0]);
    auto batch = batched ? dim(scanned[0], 0) : std::optional<int64_t>(1);
    if (!steps || !batch || *steps < 1 || *batch < 1 || *steps > kMaxSteps / *batch) return false;
    std::vector<Names> finalStates(stateCount), stackedScans(scanOutputs);
    for (int64_t b = 0; b < *batch; ++b) {
      Names ownStates, ownScanned;
      for (const auto &s : states) ownStates.push_back(batched ? take(s, b, 0) : s);
      for (const auto &s : scanned) ownScanned.push_back(batched ? take(s, b, 0) : s);
      std::vector<Names> collected(scanOutputs);
      scan(body->g(), ownStates, ownScanned, axes, directions, *steps, collected);
      for (int64_t i = 0; i < stateCount; ++i) finalStates[i].push_back(ownStates[i]);
      for (int64_t k = 0; k < scanOutputs; ++k) {
        if (outDirections[k]) collected[k] = Names(collected[k].rbegin(), collected[k].rend());
        std::string name = batched ? fresh(node.output(int(stateCount + k))) : node.output(int(stateCount + k));
        if (name.empty()) continue;
        stack(collected[k], outAxes[k], name);
        stackedScans[k].push_back(name);
      }
    }
    for (int64_t i = 0; i < stateCount; ++i) {
      const std::string &output = node.output(int(i));
      if (output.empty()) continue;
      if (batched) stack(finalStates[i], 0, output);
      else add("Identity", {finalStates[i][0]}, output);
    }
    if (batched)
      for (int64_t k = 0; k < scanOutputs; ++k)
        if (!stackedScans[k].empty()) stack(stackedScans[k], 0, node.output(int(stateCount + k)));
    return true;
  }

  // Whether the loop goes on whatever it computes: its condition is passed through, or constantly true.
  bool alwaysContinues(const GraphProto &body) {
    const std::string &out = body.output(0).name();
    if (out == body.input(1).name()) return true;
    for (const auto &t : body.initializer())
      if (t.name() == out) return t.raw_data().size() == 1 && t.raw_data()[0];
    for (const auto &node : body.node()) {
      if (node.output_size() != 1 || node.output(0) != out) continue;
      if (node.op_type() == "Identity") return node.input(0) == body.input(1).name();
      if (node.op_type() == "Constant" && node.attribute_size() == 1 && node.attribute(0).has_t()) {
        const auto &t = node.attribute(0).t();
        return (t.raw_data().size() == 1 && t.raw_data()[0]) || (t.int32_data_size() == 1 && t.int32_data(0));
      }
    }
    return false;
  }

  bool unrollLoop(const NodeProto &node) {
    const auto *body = attribute(node, "body");
    if (!body || node.input_size() < 2 || node.input(0).empty()) return false;
    auto steps = constant(node.input(0));
    if (!steps || *steps < 1 || *steps > kMaxSteps) return false;
    if (!node.input(1).empty() && constant(node.input(1)) != 1) return false;
    const GraphProto &g = body->g();
    int stateCount = node.input_size() - 2, scanOutputs = node.output_size() - stateCount;
    if (g.input_size() != stateCount + 2 || scanOutputs < 0 || g.output_size() != 1 + stateCount + scanOutputs ||
        !alwaysContinues(g))
      return false;
    auto &always = *graph_.add_initializer();
    always.set_name(fresh("condition"));
    always.set_data_type(onnx::TensorProto::BOOL);
    always.add_int32_data(1);
    std::string condition = always.name();
    Names states(node.input().begin() + 2, node.input().end());
    std::vector<Names> collected(scanOutputs);
    for (int64_t t = 0; t < *steps; ++t) {
      Names inputs{addConstant("iteration", t, false), condition};
      inputs.insert(inputs.end(), states.begin(), states.end());
      Names outputs = copyBody(g, inputs);
      states.assign(outputs.begin() + 1, outputs.begin() + 1 + stateCount);
      for (int k = 0; k < scanOutputs; ++k) collected[k].push_back(outputs[1 + stateCount + k]);
    }
    for (int i = 0; i < stateCount; ++i)
      if (!node.output(i).empty()) add("Identity", {states[i]}, node.output(i));
    for (int k = 0; k < scanOutputs; ++k)
      if (!node.output(stateCount + k).empty()) stack(collected[k], 0, node.output(stateCount + k));
    return true;
  }
};

}  // namespace

bool unrollControlFlow(onnx::ModelProto &model) { return Unroller(model).run(); }

}  // namespace crosscut::onnxir
