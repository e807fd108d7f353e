// The loops of a step and the strides of all its operands along them, brought into the order and number in which they
// are to run. Operands of the nest, its initial values, its epilogues and its outputs are all treated alike.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"
#include "compiler/Codegen/WeightBlob.h"

namespace crosscut {

struct Loop {
  Size extent;
  bool reduction = false;
  llvm::SmallVector<unsigned, 2> members;  // loops of the nest that this one stands for, outermost first
};

struct Operand {
  enum Role { Input, Init, EpilogueInput, Output } role = Input;
  unsigned epilogue = 0, position = 0;
  mlir::Type element;
  mlir::TypedAttr splat;
  const Access *access = nullptr;
  Sizes strides;        // one a loop
  mlir::Value pointer;  // the first element; null for splats
  // A constant that is laid out for this kernel: its bytes until it has a pointer.
  std::optional<std::vector<char>> packed;
};

class LoopSpace {
 public:
  LoopSpace(const Step &step, mlir::MLIRContext *context);

  llvm::SmallVector<Loop> loops;
  std::vector<Operand> operands;

  Operand *find(Operand::Role role, unsigned position, unsigned epilogue = 0);
  // Brings the loops into this order.
  void reorder(llvm::ArrayRef<unsigned> order);
  // Removes loops of one turn.
  void dropUnit();
  // Lays the constants out dense, in the order of the loops that walk them, so that merging never fails on them.
  void packConstants();
  // Joins neighbouring loops of one kind wherever every operand goes on in equal steps.
  void merge(llvm::function_ref<bool(const Loop &outer, const Loop &inner)> allowed);
  // Loops that some body asks the value of, and the row loop of a chain's stage, may not be merged.
  bool isIndexed(unsigned member) const { return indexed.count(member) != 0; }
  // Gives every operand its pointer argument; stores packed constants.
  void bind(KernelBuilder &k, WeightBlob &weights);
  int loopOf(unsigned member) const;
  // Turns of a loop, as far as they are known: where a chain gives the rows, those of most of its runs.
  std::optional<int64_t> usualExtent(unsigned loop) const;

 private:
  const Nest &nest;
  mlir::MLIRContext *context;
  llvm::SmallDenseSet<unsigned> indexed;
};

}  // namespace crosscut
