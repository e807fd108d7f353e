// What the parts of a contraction's generator share: the loops as they are walked (Contraction.cpp), and the state
// while tiles are emitted (ContractionTile.cpp).
#pragma once

#include "compiler/Codegen/Cost.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Plan/Structure.h"

namespace crosscut {

// Panels of one width, with positions that may only be known when running.
struct PanelRun {
  mlir::Value firstPanel, firstColumn;
  std::optional<mlir::Value> lastPanel;  // exclusive; none: no panel comes after
  Panels panels;                         // one of them; without `start` and `count` where these are not known
  int64_t packedStart = 0;               // columns of panels before this run, when weights are packed
};

// Emits the kernel of one contraction: run() once.
class ContractionGenerator {
  using Pointers = llvm::DenseMap<const Operand *, mlir::Value>;

 public:
  ContractionGenerator(KernelBuilder &k, const Step &step, llvm::ArrayRef<unsigned char> roles, WeightBlob &weights)
      : k(k), step(step), roles(roles), weights(weights), context(k.b.getContext()), space(step, context) {}

  Size run();

 private:
  LoopRole roleOf(unsigned loop) const { return static_cast<LoopRole>(roles[space.loops[loop].members.front()]); }
  Size size(int64_t value) { return getAffineConstantExpr(value, context); }
  void arrangeLoops();
  void packPanels();
  void planPrefetch();
  void chooseItems(std::optional<int64_t> depth, int64_t width);
  int64_t inputDepth();
  KernelChoice describe(const TargetDescription &target, std::optional<int64_t> depth);
  void emitItem(mlir::Value item);
  void emitPanel(const PanelRun &run, mlir::Value panel, llvm::ArrayRef<mlir::Value> outer, mlir::Value yFrom,
                 mlir::Value yTo, mlir::Value xFrom, mlir::Value xTo);
  void emitTile(const PanelRun &run, unsigned rows, mlir::Value x);
  void reduce(unsigned at, mlir::Value a, mlir::Value bp, const PanelRun &run, unsigned rows,
              llvm::SmallVector<mlir::Value> &acc);
  Size stridesOfB(unsigned loop, const PanelRun &run);
  mlir::Value within(const Pointers &tileAt, const Operand &operand, mlir::Value row, mlir::Value offset);
  void storeVector(mlir::Value vector, mlir::Value row, mlir::Value offset, Lanes lanes, const Pointers &tileAt);
  void storeByLoop(const Panels &panels, unsigned rows, llvm::ArrayRef<mlir::Value> acc, const Pointers &tileAt);
  mlir::Value loopValue(unsigned member, mlir::Value row, mlir::Value column);
  // Rows of a tile that lie in one turn of the row loop outside.
  unsigned rowsOfBand() const { return tile.rows / tile.bands; }
  mlir::Value advanceRows(mlir::Value pointer, const Operand &operand, mlir::Value row);

  KernelBuilder &k;
  const Step &step;
  llvm::ArrayRef<unsigned char> roles;
  WeightBlob &weights;
  mlir::MLIRContext *context;
  LoopSpace space;

  // Loop numbers after arranging: outer loops first, then y (or none), x, the reductions, the columns.
  unsigned outerLoops = 0;
  int y = -1;
  unsigned x = 0, columns = 0;
  llvm::SmallVector<unsigned> reductions;
  Operand *a = nullptr, *b = nullptr, *init = nullptr;
  bool packed = false;
  int64_t packedDepth = 0, packedColumns = 0;  // columns: of the model; panels may be wider
  // While a panel is multiplied, the next one is fetched: this many of its bytes with every row; 0: it is not.
  int64_t prefetchPerRow = 0;
  Tails tails = Tails::Exact;
  Tile tile;
  Size yChunk, xChunk, panels;
  bool rowsFirst = false;  // neighbouring items: panels of the same rows, else rows of the same panel
  llvm::SmallVector<Panels> staticPanels;

  // State while emitting.
  Pointers pointers;
  llvm::SmallVector<mlir::Value> loopValues;
  mlir::Value aPointer, bPointer, column;
  // What this tile fetches of the next panel: so many bytes (From) behind a pointer (Base).
  mlir::Value prefetchBase, prefetchFrom;
  mlir::Value depthDone;   // steps of the reduction before the innermost loop
  mlir::Value tileMemory;  // on the stack, for epilogues by a loop
};

}  // namespace crosscut
