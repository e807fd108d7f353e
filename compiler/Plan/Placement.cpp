// Where tensors live: buffers, references to them, and which values are computed straight into the memory of others.
#include "compiler/Plan/Planner.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace crosscut {

unsigned elementBytes(Type type) {
  if (type.isIndex()) return 8;
  return std::max(1u, type.getIntOrFloatBitWidth() / 8);
}

Buffer *Planner::newBuffer(BufferKind kind, Type type, Size elements) {
  plan.buffers.push_back(std::make_unique<Buffer>());
  Buffer *buffer = plan.buffers.back().get();
  buffer->kind = kind;
  buffer->elementType = type;
  buffer->elements = elements;
  return buffer;
}

Buffer *Planner::newArenaBuffer(std::string name, Type type, Size elements) {
  Buffer *buffer = newBuffer(BufferKind::Arena, type, elements);
  buffer->names = {std::move(name)};
  return buffer;
}

TensorRef Planner::denseRef(Buffer *buffer, Type type, const Sizes &dims, llvm::ArrayRef<unsigned> order) {
  TensorRef ref;
  ref.buffer = buffer;
  ref.elementType = type;
  ref.dims = dims;
  ref.strides = denseStrides(dims, order, context());
  ref.offset = constant(0);
  return ref;
}

bool Planner::isRowMajor(const TensorRef &ref) {
  if (!ref.buffer) return false;
  TensorRef dense = denseRef(ref.buffer, ref.elementType, ref.dims, naturalOrder(ref.dims.size()));
  dense.offset = ref.offset;
  return sameMemory(ref, dense);
}

// Where the value lies; values that nothing computed yet (tensor.empty) read as zero.
TensorRef Planner::refOf(Value value) {
  flush(value);
  auto it = refs.find(value);
  if (it != refs.end()) return it->second;
  auto type = cast<RankedTensorType>(value.getType());
  TensorRef ref = denseRef(nullptr, type.getElementType(), shapes.dimsOf(value), naturalOrder(type.getRank()));
  ref.splat = cast<TypedAttr>(Builder(context()).getZeroAttr(type.getElementType()));
  ref.strides.assign(type.getRank(), constant(0));
  return ref;
}

// Where a kernel is to write the value.
TensorRef Planner::destinationOf(Value value, std::string name) {
  auto it = placements.find(value);
  if (it != placements.end()) return it->second;
  auto type = cast<RankedTensorType>(value.getType());
  const Sizes &dims = shapes.dimsOf(value);
  Buffer *buffer = newArenaBuffer(std::move(name), type.getElementType(), product(dims, context()));
  return denseRef(buffer, type.getElementType(), dims, layout.orderOf(value));
}

llvm::Expected<TensorRef> Planner::constantRef(arith::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type elementType = type.getElementType();
  Sizes dims = shapes.dimsOf(op.getResult());
  Attribute value = op.getValue();
  if (auto splat = dyn_cast<SplatElementsAttr>(value)) {
    TensorRef ref = denseRef(nullptr, elementType, dims, naturalOrder(type.getRank()));
    ref.splat = cast<TypedAttr>(splat.getSplatValue<Attribute>());
    ref.strides.assign(type.getRank(), constant(0));
    return ref;
  }
  Buffer *buffer = newBuffer(BufferKind::Constant, elementType, constant(type.getNumElements()));
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob) return llvm::createStringError("constant " + nameOf(op) + " has no data");
    buffer->data = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (elementType.isInteger(1)) {
      for (bool bit : dense.getValues<bool>()) buffer->ownedData.push_back(bit);
    } else if (elementType.isIndex()) {
      for (const llvm::APInt &v : dense.getValues<llvm::APInt>()) {
        int64_t wide = v.getSExtValue();
        buffer->ownedData.insert(buffer->ownedData.end(), reinterpret_cast<char *>(&wide),
                                 reinterpret_cast<char *>(&wide) + 8);
      }
    } else {
      llvm::ArrayRef<char> raw = dense.getRawData();
      buffer->ownedData.assign(raw.begin(), raw.end());
    }
    buffer->data = buffer->ownedData;
  } else {
    return llvm::createStringError("constant " + nameOf(op) + " has a form that is not supported");
  }
  if (buffer->data.size() < static_cast<uint64_t>(type.getNumElements()) * elementBytes(elementType))
    return llvm::createStringError("constant " + nameOf(op) + " has fewer bytes than its shape needs");
  return denseRef(buffer, elementType, dims, naturalOrder(type.getRank()));
}

// Asks that `value` be computed straight into `ref`, when an operation of this function computes it.
void Planner::place(Value value, TensorRef ref) {
  Operation *op = value.getDefiningOp();
  if (!op || placements.count(value)) return;
  if (isa<linalg::GenericOp, tensor::PadOp, tensor::ConcatOp>(op)) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      if (matchCopy(generic) || matchFill(generic)) return;  // views: nothing computes them
    placements[value] = std::move(ref);
  } else if (isa<func::CallOp>(op)) {
    if (isRowMajor(ref)) placements[value] = std::move(ref);
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    placements[value] = ref;  // for what has to be copied to become one dimension
    place(collapse.getSrc(), expandView(ref, collapse.getReassociationIndices(), shapes.dimsOf(collapse.getSrc())));
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    if (auto view = collapseView(ref, expand.getReassociationIndices(), shapes.dimsOf(expand.getSrc())))
      place(expand.getSrc(), *view);
  } else if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    place(cast.getSource(), ref);
  }
}

void Planner::placeOperands() {
  Block &block = function.getBody().front();
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    auto type = cast<RankedTensorType>(value.getType());
    Sizes dims = shapes.dimsOf(value);
    Buffer *buffer = newBuffer(BufferKind::Output, type.getElementType(), product(dims, context()));
    buffer->index = i;
    plan.outputDims.push_back(dims);
    TensorRef ref = denseRef(buffer, type.getElementType(), dims, naturalOrder(type.getRank()));
    if (sameOrder(layout.orderOf(value), naturalOrder(type.getRank()), dims)) place(value, ref);
  }
  for (Operation &op : llvm::reverse(block)) {
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      if (!pad.getConstantPaddingValue()) continue;
      TensorRef whole = destinationOf(pad.getResult(), tensorNameOf(pad.getSource()) + " (padded)");
      placements[pad.getResult()] = whole;
      Sizes offsets;
      for (OpFoldResult low : pad.getMixedLowPad()) offsets.push_back(shapes.sizeOf(low));
      place(pad.getSource(), sliceView(whole, offsets, {}, shapes.dimsOf(pad.getSource())));
    } else if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
      TensorRef whole = destinationOf(concat.getResult());
      placements[concat.getResult()] = whole;
      Sizes offsets(whole.dims.size(), constant(0));
      for (Value input : concat.getInputs()) {
        const Sizes &dims = shapes.dimsOf(input);
        place(input, sliceView(whole, offsets, {}, dims));
        offsets[concat.getDim()] = offsets[concat.getDim()] + dims[concat.getDim()];
      }
    }
  }
}

}  // namespace crosscut
