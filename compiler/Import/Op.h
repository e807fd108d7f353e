// What a lowering sees of the node that it lowers: its inputs, attributes and outputs.
#pragma once

#include "compiler/Import/Emitter.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace crosscut::onnxir {

using llvm::LogicalResult;
using llvm::StringRef;

// Elements of a small tensor that are known one by one: i64 (any integer), i1 (bool) or f32, each an attribute or a
// value outside every linalg body. Shapes, axes and slice bounds are followed through the graph in this form.
using Scalars = SmallVector<OpFoldResult>;
constexpr int64_t kMaxScalars = 64;

// A value of the ONNX graph during the import. Made into a tensor only when somebody needs it as one.
struct Tensor {
  ElementType type = kUndefined;
  Value value;
  std::shared_ptr<const HostTensor> host;  // of a constant
  std::optional<Scalars> scalars;
  SmallVector<int64_t> scalarDims;
};

// The values of one graph.
class Values {
 public:
  explicit Values(const Model &model) : model_(model) {}

  Tensor *find(const std::string &name);
  void define(const std::string &name, Tensor tensor) { tensors_[name] = std::move(tensor); }
  // The tensor as an SSA value.
  Value materialize(Emitter &e, Tensor &tensor);
  // Known elements, read from the tensor's constant. `extract`: read them from a function argument at run time.
  const Scalars *scalars(Emitter &e, Tensor &tensor, bool extract);

  const Model &model() const { return model_; }
  // Values that end up as a shape, an axis or the like; arguments among them are read element by element.
  llvm::StringSet<> shapeLike;

 private:
  const Model &model_;
  std::map<std::string, Tensor> tensors_;
};

class Op {
 public:
  Op(Values &values, Emitter &emitter, const Node &node, int64_t opset)
      : e(emitter), node(node), opset(opset), values_(values) {}

  Emitter &e;
  const Node &node;
  const int64_t opset;

  // ---- Inputs
  unsigned inputCount() const { return node.inputs.size(); }
  bool has(unsigned i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  Tensor &tensor(unsigned i) { return *values_.find(node.inputs[i]); }
  Value in(unsigned i) { return values_.materialize(e, tensor(i)); }
  ElementType type(unsigned i = 0) { return tensor(i).type; }
  Type elementType(unsigned i = 0) { return e.elementType(type(i)); }
  Dims dims(unsigned i = 0);
  int64_t rank(unsigned i = 0) { return dims(i).size(); }
  bool isUnsigned(unsigned i = 0) { return onnxir::isUnsigned(type(i)); }
  const HostTensor *host(unsigned i) { return has(i) ? tensor(i).host.get() : nullptr; }
  // Elements of a small input, known or read at run time from a function argument; null when neither.
  const Scalars *scalars(unsigned i) { return has(i) ? values_.scalars(e, tensor(i), true) : nullptr; }
  // Elements that are known without reading an argument.
  const Scalars *knownScalars(unsigned i) { return has(i) ? values_.scalars(e, tensor(i), false) : nullptr; }
  // The integers of a constant input.
  std::optional<SmallVector<int64_t>> constantInts(unsigned i);
  std::optional<float> constantFloat(unsigned i);

  // ---- Attributes
  bool hasAttribute(const char *name) const { return node.attributes.count(name); }
  int64_t attribute(const char *name, int64_t otherwise) const;
  float attribute(const char *name, float otherwise) const;
  std::string attribute(const char *name, const char *otherwise) const;
  SmallVector<int64_t> intsAttribute(const char *name) const;
  // Brings an axis into 0 ... rank-1; fails the node when it is outside.
  LogicalResult normalizeAxis(int64_t &axis, int64_t rank);
  // Axes from the attribute or from constant input `input`; nullopt: neither given. Sorted, each once.
  LogicalResult axes(unsigned input, int64_t rank, std::optional<SmallVector<int64_t>> &axes);

  // ---- Outputs
  unsigned outputCount() const { return node.outputs.size(); }
  bool wants(unsigned i) const { return i < node.outputs.size() && !node.outputs[i].empty(); }
  const ValueInfo *declared(unsigned i) const;
  // What the model states of an input, or shape inference found; null when nothing.
  const ValueInfo *declaredInput(unsigned i) const;
  const std::vector<ValueInfo> &graphInputs() const { return values_.model().inputs; }
  Value graphInput(const std::string &name);
  // The output's dimensions as the model states or shape inference found them; nullopt unless all are static, and of
  // this rank where one is given.
  std::optional<Dims> declaredDims(unsigned i, int64_t rank = -1);
  ElementType declaredType(unsigned i) const;
  void result(unsigned i, Value value, ElementType type);
  void result(unsigned i, Tensor tensor);
  void result(Value value, ElementType type) { result(0, value, type); }

  LogicalResult fail(const llvm::Twine &reason);
  std::string reason;

  // The model runs where two i64 scalars are equal only, and is refused with this reason where they never are.
  LogicalResult requireEqual(OpFoldResult x, OpFoldResult y, const llvm::Twine &otherwise);

  // i64 scalar ↔ dimension.
  OpFoldResult toIndex(OpFoldResult i64);
  Value scalar(OpFoldResult i64);  // as a value
  OpFoldResult toI64(OpFoldResult index);

 private:
  void nameAfter(Value value, const std::string &tensor);

  Values &values_;
};

// Whether the importer computes with tensors of this type.
bool isSupported(ElementType type);

// Scalars.cpp: lowers the node on known elements when all of its inputs have them; false when it can not.
bool lowerOnScalars(Op &op);
// Fills values.shapeLike.
void findShapeLike(Values &values);

}  // namespace crosscut::onnxir
