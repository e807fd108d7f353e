// Makes convolutions of what surrounds them: batch norms and constant adds become weights and bias, transposed
// convolutions without overlap become pointwise ones.
#include <algorithm>
#include <cmath>

#include "compiler/Import/Simplify.h"

namespace crosscut::onnxir {

namespace {

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
    if ((node.op != "Conv" && !isTransposed(node)) || !node.domain.empty() || node.inputs.size() < 2) return nullptr;
    auto weights = model.constants.find(node.inputs[1]);
    if (weights == model.constants.end() || weights->second.type != kF32 || weights->second.dims.size() < 3)
      return nullptr;
    if (node.inputs.size() > 2 && !node.inputs[2].empty() && !vector(node.inputs[2], channelsOf(node))) return nullptr;
    return &node;
  }

  // A transposed convolution in one group: its output channels are the second dimension of its weights.
  static bool isTransposed(const Node &node) {
    auto group = node.attributes.find("group");
    return node.op == "ConvTranspose" && (group == node.attributes.end() || group->second.i == 1);
  }
  int64_t channelsOf(const Node &conv) { return model.constants[conv.inputs[1]].dims[conv.op == "Conv" ? 0 : 1]; }

  // conv' = conv * factor + offset, a channel at a time.
  void scale(Node &conv, const std::vector<double> &factor, const std::vector<double> &offset, const std::string &out) {
    const HostTensor &weights = model.constants[conv.inputs[1]];
    int64_t channels = channelsOf(conv), outer = conv.op == "Conv" ? 1 : weights.dims[0];
    int64_t each = channels && outer ? weights.count() / channels / outer : 0;
    bool hasBias = conv.inputs.size() > 2 && !conv.inputs[2].empty();
    const float *bias = hasBias ? vector(conv.inputs[2], channels) : nullptr;
    std::vector<float> newBias(channels);
    for (int64_t c = 0; c < channels; ++c) newBias[c] = float((bias ? bias[c] : 0.0) * factor[c] + offset[c]);
    bool scales = std::any_of(factor.begin(), factor.end(), [](double f) { return f != 1; });
    if (scales) {
      std::vector<float> scaled(weights.count());
      for (int64_t i = 0; i < weights.count(); ++i)
        scaled[i] = float(weights.as<float>()[i] * factor[i / each % channels]);
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
    int64_t channels = channelsOf(*conv);
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
      int64_t channels = channelsOf(*conv), rank = weights.dims.size();
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

namespace {

std::vector<int64_t> ints(const Node &node, const char *name, int64_t otherwise, size_t count) {
  auto it = node.attributes.find(name);
  return it == node.attributes.end() ? std::vector<int64_t>(count, otherwise) : it->second.ints;
}

}  // namespace

void splitTransposedConvolutions(Model &model) {
  std::vector<Node> nodes;
  for (Node &node : model.nodes) {
    auto constant = node.inputs.size() > 1 ? model.constants.find(node.inputs[1]) : model.constants.end();
    auto attribute = [&](const char *name) { return node.attributes.count(name); };
    bool fits = node.op == "ConvTranspose" && node.domain.empty() && constant != model.constants.end() &&
                constant->second.type == kF32 && constant->second.dims.size() == 4 && Folder::isTransposed(node) &&
                !attribute("output_shape") && !attribute("auto_pad");
    int64_t block = fits ? constant->second.dims[2] : 0;
    fits = fits && block > 1 && constant->second.dims[3] == block &&
           ints(node, "strides", 1, 2) == std::vector<int64_t>(2, block) &&
           ints(node, "dilations", 1, 2) == std::vector<int64_t>(2, 1) &&
           ints(node, "pads", 0, 4) == std::vector<int64_t>(4, 0) &&
           ints(node, "output_padding", 0, 2) == std::vector<int64_t>(2, 0);
    bool hasBias = fits && node.inputs.size() > 2 && !node.inputs[2].empty();
    auto bias = hasBias ? model.constants.find(node.inputs[2]) : model.constants.end();
    if (!fits || (hasBias && (bias == model.constants.end() || bias->second.type != kF32))) {
      nodes.push_back(std::move(node));
      continue;
    }
    const HostTensor weights = constant->second;
    int64_t in = weights.dims[0], out = weights.dims[1], cells = block * block;
    std::vector<float> turned(weights.count()), repeated;
    for (int64_t i = 0; i < in; ++i)
      for (int64_t o = 0; o < out * cells; ++o) turned[o * in + i] = weights.as<float>()[i * out * cells + o];
    if (hasBias)
      for (int64_t o = 0; o < out * cells; ++o) repeated.push_back(bias->second.as<float>()[o / cells]);
    std::string name = node.outputs[0];
    Node conv, spread;
    conv.name = node.name;
    conv.op = "Conv";
    conv.inputs = {node.inputs[0], name + ".turned"};
    conv.outputs = {name + ".cells"};
    model.constants[conv.inputs[1]] = makeTensor(kF32, {out * cells, in, 1, 1}, turned, conv.inputs[1]);
    if (hasBias) {
      conv.inputs.push_back(name + ".repeated");
      model.constants[conv.inputs[2]] = makeTensor(kF32, {out * cells}, repeated, conv.inputs[2]);
    }
    spread.name = node.name;
    spread.op = "DepthToSpace";
    spread.inputs = conv.outputs;
    spread.outputs = {name};
    spread.attributes["blocksize"].kind = OnnxAttribute::Int;
    spread.attributes["blocksize"].i = block;
    spread.attributes["mode"].kind = OnnxAttribute::String;
    spread.attributes["mode"].s = "CRD";
    nodes.push_back(std::move(conv));
    nodes.push_back(std::move(spread));
  }
  model.nodes = std::move(nodes);
}

}  // namespace crosscut::onnxir
