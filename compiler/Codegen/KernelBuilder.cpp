// See KernelBuilder.h.
#include "compiler/Codegen/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace crosscut {
namespace {

constexpr auto noSignedWrap = arith::IntegerOverflowFlags::nsw;

// How an element lies in memory.
Type memoryType(Type element) {
  if (element.isInteger(1)) return IntegerType::get(element.getContext(), 8);
  if (element.isIndex()) return IntegerType::get(element.getContext(), 64);
  return element;
}

bool isOne(Value value) { return getConstantIntValue(value) == 1; }
bool isZero(Value value) { return getConstantIntValue(value) == 0; }

}  // namespace

KernelBuilder::KernelBuilder(ModuleOp module, llvm::StringRef name, const FunctionPlan &plan,
                             const TargetDescription &target)
    : b(module.getContext()),
      loc(UnknownLoc::get(module.getContext())),
      target(target),
      indexType(IntegerType::get(module.getContext(), target.indexBits)),
      plan(plan) {
  b.setInsertionPointToEnd(module.getBody());
  Type i32 = b.getI32Type();
  function = func::FuncOp::create(b, loc, name, b.getFunctionType({i32, i32}, {}));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  auto widen = [&](Value v) -> Value {
    return target.indexBits == 32 ? v : arith::ExtUIOp::create(b, loc, indexType, v).getResult();
  };
  begin = widen(entry->getArgument(0));
  end = widen(entry->getArgument(1));
}

GeneratedKernel KernelBuilder::finish(Size items) {
  func::ReturnOp::create(b, loc);
  SmallVector<Type> types(function.getBody().front().getArgumentTypes());
  function.setFunctionType(b.getFunctionType(types, {}));
  GeneratedKernel result;
  result.function = function;
  result.args = std::move(args);
  result.items = items;
  result.choices = std::move(choices);
  return result;
}

// ---- Index arithmetic ----------------------------------------------------------------------------------------------

Value KernelBuilder::c(int64_t value) {
  Value &known = constants[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    known = arith::ConstantOp::create(b, loc, b.getIntegerAttr(indexType, value));
  }
  return known;
}

Value KernelBuilder::add(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy) return c(*cx + *cy);
  if (cx == 0) return y;
  if (cy == 0) return x;
  return arith::AddIOp::create(b, loc, x, y, noSignedWrap);
}

Value KernelBuilder::sub(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy) return c(*cx - *cy);
  if (cy == 0) return x;
  return arith::SubIOp::create(b, loc, x, y, noSignedWrap);
}

Value KernelBuilder::mul(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy) return c(*cx * *cy);
  if (isZero(x) || isOne(y)) return x;
  if (isZero(y) || isOne(x)) return y;
  return arith::MulIOp::create(b, loc, x, y, noSignedWrap);
}

Value KernelBuilder::div(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy && *cy) return c(*cx / *cy);
  if (isOne(y)) return x;
  return arith::DivUIOp::create(b, loc, x, y);
}

Value KernelBuilder::startOf(Value part, Value whole, Value parts) {
  auto all = getConstantIntValue(whole), count = getConstantIntValue(parts);
  if (all && count && *all % *count == 0) return mul(part, c(*all / *count));
  return div(mul(part, whole), parts);
}

Value KernelBuilder::rem(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy && *cy) return c(*cx % *cy);
  if (isOne(y)) return c(0);
  return arith::RemUIOp::create(b, loc, x, y);
}

Value KernelBuilder::min(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy) return c(std::min(*cx, *cy));
  return arith::MinSIOp::create(b, loc, x, y);
}

Value KernelBuilder::max(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy) return c(std::max(*cx, *cy));
  return arith::MaxSIOp::create(b, loc, x, y);
}

Value KernelBuilder::less(Value x, Value y) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, y); }

Value KernelBuilder::expand(Size size) {
  if (auto value = constantOf(size)) return c(*value);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    Value &known = symbolArgs[symbol.getPosition()];
    if (!known) {
      KernelArg arg;
      arg.kind = KernelArg::Symbol;
      arg.symbol = symbol.getPosition();
      known = argument(arg, indexType);
    }
    return known;
  }
  auto binary = cast<AffineBinaryOpExpr>(size);
  Value x = expand(binary.getLHS()), y = expand(binary.getRHS());
  switch (binary.getKind()) {
    case AffineExprKind::Add: return add(x, y);
    case AffineExprKind::Mul: return mul(x, y);
    case AffineExprKind::FloorDiv: return div(x, y);
    case AffineExprKind::Mod: return rem(x, y);
    case AffineExprKind::CeilDiv: return div(add(x, sub(y, c(1))), y);
    default: llvm_unreachable("not a binary expression");
  }
}

// ---- Arguments -----------------------------------------------------------------------------------------------------

Value KernelBuilder::argument(KernelArg arg, Type type) {
  args.push_back(arg);
  return function.getBody().front().addArgument(type, loc);
}

Value KernelBuilder::pointerTo(const TensorRef &ref, Size offset) {
  Size bytes = offset * elementBytes(ref.elementType);
  Value &known = pointers[{ref.buffer, 0, bytes.getAsOpaquePointer()}];
  if (!known) {
    KernelArg arg;
    arg.buffer = ref.buffer;
    arg.byteOffset = bytes;
    known = argument(arg, LLVM::LLVMPointerType::get(b.getContext()));
  }
  return known;
}

Value KernelBuilder::locate(const Access &access) {
  return locateInstead ? locateInstead(access) : pointerTo(access.ref, access.offset);
}

void KernelBuilder::defineSymbol(Size symbol, Value value) {
  symbolArgs[cast<AffineSymbolExpr>(symbol).getPosition()] = value;
}

Value KernelBuilder::weightsPointer(uint64_t offset) {
  Value &known = pointers[{nullptr, offset, nullptr}];
  if (!known) {
    KernelArg arg;
    arg.weightsOffset = offset;
    known = argument(arg, LLVM::LLVMPointerType::get(b.getContext()));
  }
  return known;
}

// ---- Memory --------------------------------------------------------------------------------------------------------

Value KernelBuilder::advance(Value pointer, Type element, Value index) {
  if (isZero(index)) return pointer;
  SmallVector<LLVM::GEPArg> indices;
  if (auto constant = getConstantIntValue(index); constant && llvm::isInt<31>(*constant))
    indices.push_back(static_cast<int32_t>(*constant));
  else indices.push_back(index);
  return LLVM::GEPOp::create(b, loc, pointer.getType(), memoryType(element), pointer, indices,
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::advance(Value pointer, Type element, Size stride, Value iv) {
  if (isConstant(stride, 0)) return pointer;
  return advance(pointer, element, mul(iv, expand(stride)));
}

Type KernelBuilder::vectorOf(Type element, unsigned lanes) {
  return lanes == 1 ? element : VectorType::get({static_cast<int64_t>(lanes)}, element);
}

// Pieces of a vector that together have `used` elements: as wide as possible, with their places.
static void forPieces(unsigned used, llvm::function_ref<void(int64_t at, unsigned width)> body) {
  for (unsigned at = 0, width; at < used; at += width) {
    width = llvm::bit_floor(used - at);
    body(at, width);
  }
}

Value KernelBuilder::maskOfAll(unsigned lanes) {
  return constant(DenseElementsAttr::get(cast<ShapedType>(vectorOf(b.getI1Type(), lanes)), true));
}

Value KernelBuilder::loadPart(Value pointer, Type stored, Lanes lanes) {
  unsigned alignment = elementBytes(stored);
  Type type = vectorOf(stored, lanes.count);
  if (target.vectorGroup > 1) {  // RVV loads as many as it is told
    return LLVM::VPLoadOp::create(b, loc, type, pointer, maskOfAll(lanes.count),
                                  constant(b.getI32IntegerAttr(lanes.used)));
  }
  Value value = constant(cast<TypedAttr>(b.getZeroAttr(type)));
  forPieces(lanes.used, [&](int64_t at, unsigned width) {
    Value piece = LLVM::LoadOp::create(b, loc, vectorOf(stored, width), advance(pointer, stored, c(at)), alignment);
    if (width == 1) value = vector::InsertOp::create(b, loc, piece, value, at);
    else value = vector::InsertStridedSliceOp::create(b, loc, piece, value, at, 1);
  });
  return value;
}

void KernelBuilder::storePart(Value value, Value pointer, Lanes lanes) {
  Type stored = getElementTypeOrSelf(value);
  unsigned alignment = elementBytes(stored);
  if (target.vectorGroup > 1) {
    LLVM::VPStoreOp::create(b, loc, value, pointer, maskOfAll(lanes.count), constant(b.getI32IntegerAttr(lanes.used)));
    return;
  }
  forPieces(lanes.used, [&](int64_t at, unsigned width) {
    Value piece = width == 1 ? vector::ExtractOp::create(b, loc, value, at).getResult()
                             : vector::ExtractStridedSliceOp::create(b, loc, value, at, width, 1).getResult();
    LLVM::StoreOp::create(b, loc, piece, advance(pointer, stored, c(at)), alignment);
  });
}

Value KernelBuilder::load(Value pointer, Type element, Lanes lanes, Size stride) {
  Type stored = memoryType(element);
  unsigned alignment = elementBytes(element);
  Value value;
  bool uniform = isConstant(stride, 0) || lanes.count == 1;
  if (uniform) {
    value = LLVM::LoadOp::create(b, loc, stored, pointer, alignment);
  } else if (isConstant(stride, 1) && lanes.used < lanes.count) {
    value = loadPart(pointer, stored, lanes);
  } else if (isConstant(stride, 1)) {
    value = LLVM::LoadOp::create(b, loc, vectorOf(stored, lanes.count), pointer, alignment);
  } else {
    value = constant(cast<TypedAttr>(b.getZeroAttr(vectorOf(stored, lanes.count))));
    for (unsigned lane = 0; lane < lanes.used; ++lane) {
      Value at = advance(pointer, element, stride, c(lane));
      Value scalar = LLVM::LoadOp::create(b, loc, stored, at, alignment);
      value = vector::InsertOp::create(b, loc, scalar, value, static_cast<int64_t>(lane));
    }
  }
  if (element.isInteger(1)) {
    Value zero = constant(cast<TypedAttr>(b.getZeroAttr(value.getType())));
    value = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value, zero);
  } else if (element.isIndex()) {
    value = arith::IndexCastOp::create(b, loc, uniform ? element : vectorOf(element, lanes.count), value);
  }
  return value;
}

void KernelBuilder::store(Value value, Value pointer, Type element, Lanes lanes, Size stride) {
  Type stored = memoryType(element);
  unsigned alignment = elementBytes(element);
  value = broadcast(value, lanes.count);
  Type type = vectorOf(stored, lanes.count);
  if (element.isInteger(1)) value = arith::ExtUIOp::create(b, loc, type, value);
  else if (element.isIndex()) value = arith::IndexCastOp::create(b, loc, type, value);
  if (lanes.used < lanes.count && isConstant(stride, 1)) {
    storePart(value, pointer, lanes);
    return;
  }
  if (lanes.count == 1 || isConstant(stride, 1)) {
    LLVM::StoreOp::create(b, loc, value, pointer, alignment);
    return;
  }
  if (target.vectorGroup > 1 && element.isF32()) {  // RVV stores with a stride
    Value bytes = mul(expand(stride), c(alignment));
    Value all = constant(b.getI32IntegerAttr(lanes.used));
    LLVM::VPStridedStoreOp::create(b, loc, value, pointer, bytes, maskOfAll(lanes.count), all);
    return;
  }
  for (unsigned lane = 0; lane < lanes.used; ++lane) {
    Value scalar = vector::ExtractOp::create(b, loc, value, static_cast<int64_t>(lane));
    LLVM::StoreOp::create(b, loc, scalar, advance(pointer, element, stride, c(lane)), alignment);
  }
}

void KernelBuilder::keepLoadsApart() { LLVM::FenceOp::create(b, loc, LLVM::AtomicOrdering::acq_rel, "singlethread"); }

Value KernelBuilder::bytesBehind(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer, LLVM::GEPArg(bytes));
}

void KernelBuilder::prefetch(Value pointer) {
  LLVM::Prefetch::create(b, loc, pointer, /*rw=*/0, /*hint=*/2, /*cache=*/1);
}

Value KernelBuilder::allocate(Type element, int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  Value elements = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(count));
  return LLVM::AllocaOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), element, elements,
                                target.lineBytes);
}

// ---- Values --------------------------------------------------------------------------------------------------------

Value KernelBuilder::constant(TypedAttr value) { return arith::ConstantOp::create(b, loc, value); }

Value KernelBuilder::broadcast(Value scalar, unsigned lanes) {
  if (lanes == 1 || isa<VectorType>(scalar.getType())) return scalar;
  auto type = cast<VectorType>(vectorOf(scalar.getType(), lanes));
  if (auto known = scalar.getDefiningOp<arith::ConstantOp>())
    return constant(SplatElementsAttr::get(type, known.getValue()));
  return vector::BroadcastOp::create(b, loc, type, scalar);
}

Value KernelBuilder::multiplyAdd(Value x, Value y, Value acc, bool byLane) {
  if (!isa<FloatType>(getElementTypeOrSelf(acc)))
    return arith::AddIOp::create(b, loc, acc, arith::MulIOp::create(b, loc, x, y));
  if (target.hasFma && !(byLane && target.laneRounds)) return math::FmaOp::create(b, loc, x, y, acc);
  return arith::AddFOp::create(b, loc, acc, arith::MulFOp::create(b, loc, x, y));
}

// ---- Control -------------------------------------------------------------------------------------------------------

void KernelBuilder::loop(Value from, Value to, Value step, llvm::function_ref<void(Value)> body) {
  loop(from, to, step, {}, [&](Value iv, ArrayRef<Value>) {
    body(iv);
    return SmallVector<Value>();
  });
}

SmallVector<Value> KernelBuilder::loop(Value from, Value to, Value step, ArrayRef<Value> inits,
                                       llvm::function_ref<SmallVector<Value>(Value, ArrayRef<Value>)> body) {
  // One turn, known when compiling, needs no loop.
  auto cf = getConstantIntValue(from), ct = getConstantIntValue(to), cs = getConstantIntValue(step);
  if (cf && ct && cs) {
    if (*cf >= *ct) return SmallVector<Value>(inits);
    if (*cf + *cs >= *ct) return body(from, inits);
  }
  auto op = scf::ForOp::create(b, loc, from, to, step, inits);
  OpBuilder::InsertionGuard guard(b);
  Block *block = op.getBody();
  if (!block->empty() && isa<scf::YieldOp>(block->back())) block->back().erase();
  b.setInsertionPointToEnd(block);
  SmallVector<Value> carried(op.getRegionIterArgs());
  SmallVector<Value> results = body(op.getInductionVar(), carried);
  scf::YieldOp::create(b, loc, results);
  return SmallVector<Value>(op.getResults());
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> body) {
  if (auto known = getConstantIntValue(condition)) {
    if (*known) body();
    return;
  }
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  body();
}

// ---- Bodies --------------------------------------------------------------------------------------------------------

bool isVectorizable(Block &body) {
  for (Operation &op : body) {
    if (isa<tensor::ExtractOp>(op) || op.getNumRegions()) return false;
  }
  return true;
}

// A scalar of the model's function that a body uses.
Value KernelBuilder::fromOutside(Value value) {
  if (auto known = value.getDefiningOp<arith::ConstantOp>()) return constant(known.getValue());
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(b, loc, value.getType(), expand(plan.symbols->symbolFor(value)));
  Value &known = scalarArgs[value];
  if (!known) {
    KernelArg arg;
    arg.kind = KernelArg::Scalar;
    arg.scalar = value;
    known = argument(arg, value.getType());
  }
  return known;
}

// One element of a tensor that a body reads at computed indices. Indices come from data: they are brought into range,
// so that no input can make a kernel read elsewhere.
Value KernelBuilder::extract(tensor::ExtractOp op, ArrayRef<Value> indices, const BodyContext &context) {
  const TensorRef *ref = nullptr;
  for (auto &[value, captured] : context.captured)
    if (value == op.getTensor()) ref = &captured;
  assert(ref && "planning captured every tensor that the body reads");
  if (ref->isSplat()) return constant(ref->splat);
  Value pointer = pointerTo(*ref, ref->offset);
  Value at = c(0);
  for (auto [d, index] : llvm::enumerate(indices)) {
    Value i = arith::IndexCastOp::create(b, loc, indexType, index);
    Value last = sub(expand(ref->dims[d]), c(1));
    i = arith::MinUIOp::create(b, loc, i, last);
    at = add(at, mul(i, expand(ref->strides[d])));
  }
  return load(advance(pointer, ref->elementType, at), ref->elementType, 1, plan.symbols->constant(1));
}

namespace {
struct AccumulatedProduct {
  Value x, y, acc;
};
}  // namespace

// acc + x * y, where acc is what the body's linalg operation sums in: one instruction on many targets. Other sums stay
// as the model has them. The product itself is left behind without a use.
static std::optional<AccumulatedProduct> matchAccumulatedProduct(Operation &op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op.getParentOp());
  if (!isa<arith::AddFOp>(op) || !generic) return std::nullopt;
  for (unsigned i : {0, 1}) {
    auto acc = dyn_cast<BlockArgument>(op.getOperand(i));
    auto product = op.getOperand(1 - i).getDefiningOp<arith::MulFOp>();
    if (!acc || acc.getOwner() != generic.getBody() || acc.getArgNumber() < generic.getNumDpsInputs()) continue;
    if (product && product->hasOneUse()) return AccumulatedProduct{product.getLhs(), product.getRhs(), acc};
  }
  return std::nullopt;
}

SmallVector<Value> KernelBuilder::cloneBody(Block &body, ArrayRef<Value> arguments, const BodyContext &context) {
  IRMapping mapping;
  for (auto [argument, value] : llvm::zip(body.getArguments(), arguments)) mapping.map(argument, value);
  auto lookup = [&](Value value) -> Value {
    if (Value known = mapping.lookupOrNull(value)) return known;
    Value outside = fromOutside(value);
    mapping.map(value, outside);
    return outside;
  };
  auto cloneInto = [&](auto &self, Block &block) -> void {
    for (Operation &op : block.without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(op)) {
        Value value = arith::IndexCastOp::create(b, loc, b.getIndexType(), context.index(index.getDim()));
        if (static_cast<int>(index.getDim()) == context.vectorLoop && context.lanes > 1) {
          SmallVector<Attribute> steps;
          for (unsigned lane = 0; lane < context.lanes; ++lane) steps.push_back(b.getIndexAttr(lane));
          auto type = cast<VectorType>(vectorOf(b.getIndexType(), context.lanes));
          value = arith::AddIOp::create(b, loc, broadcast(value, context.lanes),
                                        constant(DenseElementsAttr::get(type, steps)));
        }
        mapping.map(index.getResult(), value);
        continue;
      }
      SmallVector<Value> operands;
      if (auto read = dyn_cast<tensor::ExtractOp>(op)) {
        for (Value index : read.getIndices()) operands.push_back(lookup(index));
        mapping.map(read.getResult(), extract(read, operands, context));
        continue;
      }
      if (op.getNumRegions()) {
        // Control flow inside a body: scalar only. Copied whole; what its regions use from outside must be known first.
        op.walk([&](Operation *inner) {
          for (Value operand : inner->getOperands())
            if (!op.isAncestor(operand.getParentBlock()->getParentOp()) && !isa<RankedTensorType>(operand.getType()))
              lookup(operand);
        });
        Operation *copy = op.cloneWithoutRegions(mapping);
        b.insert(copy);
        for (auto [from, to] : llvm::zip(op.getRegions(), copy->getRegions())) {
          for (Block &source : from) {
            Block *target = new Block;
            to.push_back(target);
            for (BlockArgument argument : source.getArguments())
              mapping.map(argument, target->addArgument(argument.getType(), loc));
            OpBuilder::InsertionGuard guard(b);
            b.setInsertionPointToEnd(target);
            self(self, source);
            b.clone(*source.getTerminator(), mapping);
          }
        }
        continue;
      }
      if (auto product = matchAccumulatedProduct(op)) {
        Value acc = lookup(product->acc), x = lookup(product->x), y = lookup(product->y);
        bool vectors = llvm::any_of(ArrayRef{acc, x, y}, [](Value v) { return isa<VectorType>(v.getType()); });
        unsigned lanes = vectors ? context.lanes : 1;
        mapping.map(op.getResult(0), multiplyAdd(broadcast(x, lanes), broadcast(y, lanes), broadcast(acc, lanes)));
        continue;
      }
      bool anyVector = false;
      for (Value operand : op.getOperands()) {
        operands.push_back(lookup(operand));
        anyVector |= isa<VectorType>(operands.back().getType());
      }
      if (anyVector)
        for (Value &operand : operands) operand = broadcast(operand, context.lanes);
      OperationState state(loc, op.getName());
      state.addOperands(operands);
      state.addAttributes(op.getAttrs());
      for (Type type : op.getResultTypes()) state.addTypes(anyVector ? vectorOf(type, context.lanes) : type);
      Operation *copy = b.create(state);
      for (auto [from, to] : llvm::zip(op.getResults(), copy->getResults())) mapping.map(from, to);
    }
  };
  cloneInto(cloneInto, body);
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands()) results.push_back(lookup(value));
  return results;
}

}  // namespace crosscut
