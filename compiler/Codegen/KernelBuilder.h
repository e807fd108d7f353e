// Builds the code of one kernel: index arithmetic, loads and stores of scalars and vectors, loops, and copies of
// linalg bodies that work on vectors.
//
// Index arithmetic is on integers of the target's index width, addresses are LLVM pointers. Vectors have a fixed number
// of lanes; one lane means a scalar.
#pragma once

#include "compiler/Plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <functional>
#include <map>

namespace crosscut {

// What the entry point passes to a kernel, in a slot of eight bytes each.
struct KernelArg {
  enum Kind { Pointer, Symbol, Scalar } kind = Pointer;
  const Buffer *buffer = nullptr;  // Pointer into a buffer; null: into the weights
  uint64_t weightsOffset = 0;
  Size byteOffset;
  unsigned symbol = 0;  // Symbol: number of the plan's symbol
  mlir::Value scalar;   // Scalar: a value of the model's function
};

// The code and arguments of one step.
struct GeneratedKernel {
  mlir::func::FuncOp function;
  std::vector<KernelArg> args;
  Size items;
  std::vector<KernelChoice> choices;
};

// How a copied body finds what is not among its arguments.
struct BodyContext {
  llvm::function_ref<mlir::Value(unsigned loop)> index;  // value of a loop of the operation, first lane
  int vectorLoop = -1;                                   // the loop that lanes walk
  unsigned lanes = 1;
  llvm::ArrayRef<std::pair<mlir::Value, TensorRef>> captured;
};

// How many elements a value has. Where memory has fewer of them, `used`, those behind are not stored, and zero or
// undefined when loaded.
struct Lanes {
  unsigned count, used;
  Lanes(unsigned count) : Lanes(count, count) {}
  Lanes(unsigned count, unsigned used) : count(count), used(used) {}
};

class KernelBuilder {
 public:
  KernelBuilder(mlir::ModuleOp module, llvm::StringRef name, const FunctionPlan &plan, const TargetDescription &target);

  mlir::OpBuilder b;
  mlir::Location loc;
  const TargetDescription &target;
  mlir::IntegerType indexType;
  mlir::Value begin, end;  // work items

  // Index arithmetic, folding constants.
  mlir::Value c(int64_t value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value rem(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  // Where one of so many parts of a whole begins, which differ by one at most: part * whole / parts, rounded down.
  mlir::Value startOf(mlir::Value part, mlir::Value whole, mlir::Value parts);
  mlir::Value expand(Size size);

  // Arguments. Pointers to the same memory are one argument.
  mlir::Value pointerTo(const TensorRef &ref, Size offset);
  // Where an operand begins: in its buffer, or where `locateInstead` says, if it is set.
  mlir::Value locate(const Access &access);
  std::function<mlir::Value(const Access &)> locateInstead;
  // From here on this symbol, which is none of the plan's, has that value.
  void defineSymbol(Size symbol, mlir::Value value);
  mlir::Value weightsPointer(uint64_t offset);

  // Memory.
  mlir::Value advance(mlir::Value pointer, mlir::Type element, mlir::Value index);
  mlir::Value advance(mlir::Value pointer, mlir::Type element, Size stride, mlir::Value iv);
  // `lanes` elements, `stride` apart (0: one element for all lanes).
  mlir::Value load(mlir::Value pointer, mlir::Type element, Lanes lanes, Size stride);
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, Lanes lanes, Size stride);
  // An address that need not be the kernel's.
  mlir::Value bytesBehind(mlir::Value pointer, mlir::Value bytes);
  // Asks for the line of memory at `pointer`, which may be any address, to be brought into the second cache.
  void prefetch(mlir::Value pointer);
  // Keeps LLVM from moving loads from behind this place to before it, where they would take registers. No instruction.
  void keepLoadsApart();
  // Memory of the kernel's own, on the stack.
  mlir::Value allocate(mlir::Type element, int64_t count);

  // Values.
  mlir::Type vectorOf(mlir::Type element, unsigned lanes);
  mlir::Value constant(mlir::TypedAttr value);
  mlir::Value broadcast(mlir::Value scalar, unsigned lanes);
  // `byLane`: x is an element of a register that the loop loaded several of at once.
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value y, mlir::Value acc, bool byLane = false);

  // Control.
  void loop(mlir::Value from, mlir::Value to, mlir::Value step, llvm::function_ref<void(mlir::Value)> body);
  llvm::SmallVector<mlir::Value> loop(
      mlir::Value from, mlir::Value to, mlir::Value step, llvm::ArrayRef<mlir::Value> inits,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, llvm::ArrayRef<mlir::Value>)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  mlir::Value less(mlir::Value x, mlir::Value y);

  // Copies the body of a linalg.generic for the given arguments (vectors or scalars); returns what it yields.
  llvm::SmallVector<mlir::Value> cloneBody(mlir::Block &body, llvm::ArrayRef<mlir::Value> args,
                                           const BodyContext &context);

  GeneratedKernel finish(Size items);

  std::vector<KernelChoice> choices;  // what the generators say of what they made

 private:
  mlir::Value maskOfAll(unsigned lanes);
  mlir::Value loadPart(mlir::Value pointer, mlir::Type stored, Lanes lanes);
  void storePart(mlir::Value value, mlir::Value pointer, Lanes lanes);
  mlir::Value argument(KernelArg arg, mlir::Type type);
  mlir::Value extract(mlir::tensor::ExtractOp op, llvm::ArrayRef<mlir::Value> indices, const BodyContext &context);
  mlir::Value fromOutside(mlir::Value value);

  const FunctionPlan &plan;
  mlir::func::FuncOp function;
  std::vector<KernelArg> args;
  std::map<std::tuple<const void *, uint64_t, const void *>, mlir::Value> pointers;
  std::map<unsigned, mlir::Value> symbolArgs;
  llvm::DenseMap<mlir::Value, mlir::Value> scalarArgs;
  llvm::DenseMap<int64_t, mlir::Value> constants;
};

// Whether a copy of the body can work on several lanes at once.
bool isVectorizable(mlir::Block &body);

}  // namespace crosscut
