// Kernels for everything that is no sum of products over weights. See Generic.cpp: how the loops run; GenericTile.cpp:
// what one turn of them computes.
#pragma once

#include "compiler/Codegen/Combiner.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Codegen/VectorWalk.h"

namespace crosscut {

class GenericGenerator {
 public:
  GenericGenerator(KernelBuilder &k, const Step &step, WeightBlob &weights)
      : k(k), step(step), weights(weights), context(k.b.getContext()), space(step, context) {}

  Size run();
  KernelChoice describe() const;

 private:
  // Position of the loops at one point of the code.
  struct Position {
    llvm::SmallVector<mlir::Value> values;  // one a loop; none: not entered yet
    std::vector<mlir::Value> pointers;      // one an operand
  };

  // One of the results that are computed at once, as steps along the band loop and the row loop.
  struct Place {
    unsigned band = 0, row = 0;
  };

  Size size(int64_t value) { return mlir::getAffineConstantExpr(value, context); }
  bool bodiesVectorize();
  void arrangeLoops();
  bool chooseTransposition();
  void emitTransposed(const Position &at, unsigned lanes);
  void chooseBands();
  int scoreAsVector(unsigned loop);
  bool gathers(unsigned loop);
  int reductionInLanes(int64_t shortest);
  Position enter(const Position &at, unsigned loop, mlir::Value value);
  void emitLoops(unsigned loop, const Position &at);
  void emitBands(const Position &at, mlir::Value from, mlir::Value to);
  unsigned lanesAtOnce() const;
  void emitVectorLoop(const Position &at, mlir::Value from, mlir::Value to);
  unsigned vectorsAtOnce() const;
  void emitRows(const Position &at, unsigned lanes);
  void emitTile(const Position &at, unsigned lanes, unsigned rows);
  llvm::SmallVector<mlir::Value> initial(const Position &at, unsigned lanes, Place place);
  llvm::SmallVector<mlir::Value> reduce(unsigned index, const Position &at, llvm::ArrayRef<mlir::Value> acc,
                                        unsigned lanes, llvm::ArrayRef<Place> places);
  llvm::SmallVector<mlir::Value> reduceBands(const Position &at, llvm::ArrayRef<mlir::Value> acc, unsigned lanes,
                                             llvm::ArrayRef<Place> places);
  llvm::SmallVector<mlir::Value> bodyAt(const Position &at, llvm::ArrayRef<mlir::Value> acc, unsigned lanes,
                                        Place place);
  bool readsInit() const;
  mlir::Value pointerTo(const Operand &operand, const Position &at, Place place);
  llvm::SmallVector<mlir::Value> applied(const Position &at, llvm::ArrayRef<mlir::Value> results, unsigned lanes,
                                         Place place);
  void storeTile(const Position &at, llvm::ArrayRef<mlir::Value> values, unsigned lanes, Place place);
  llvm::SmallVector<mlir::Value> reduceInLanes(const Position &at);
  mlir::Value loopValue(const Position &at, unsigned member, Place place);

  KernelBuilder &k;
  const Step &step;
  WeightBlob &weights;
  mlir::MLIRContext *context;
  LoopSpace space;

  VectorWalk walk;         // after arranging
  unsigned bandsHere = 1;  // of walk.bandsAtOnce, those of the tile that is emitted
  std::optional<Combiner> combiner;
};

}  // namespace crosscut
