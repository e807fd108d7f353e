// Brings the tensor IR into the few forms that planning knows, and fuses elementwise operations with each other.
//
// Upstream does the work: named operations become linalg.generic, constants that are splats move into bodies, and
// elementwise producers are inlined into their consumers where that costs nothing: one consumer, and every element
// computed once. Producers are kept out of contractions and windows, whose kernels want their operands in memory.
#include "compiler/Plan/Plan.h"
#include "compiler/Plan/Structure.h"
#include "compiler/Support/Dump.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace crosscut {
namespace {

bool hasExtract(linalg::GenericOp op) {
  return op.getBody()->walk([](tensor::ExtractOp) { return WalkResult::interrupt(); }).wasInterrupted();
}

bool isReduction(linalg::GenericOp op) { return op.getNumReductionLoops() != 0; }

// Yields an input, or a constant, unchanged.
bool isCopyOrFill(linalg::GenericOp op) { return op.getBody()->getOperations().size() == 1; }

bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer) return false;
  if (isReduction(consumer)) {
    // Windows and contractions read an element many times; a plain reduction reads it once.
    for (AffineMap map : consumer.getIndexingMapsArray())
      if (!map.isProjectedPermutation()) return false;
    if (!consumer.getMatchingIndexingMap(operand).isPermutation()) return false;
  }
  if (hasExtract(producer) || hasExtract(consumer)) return false;
  if (isCopyOrFill(producer)) return !isReduction(consumer) && consumer.isDpsInput(operand);
  return producer->hasOneUse() && consumer.getMatchingIndexingMap(operand).isPermutation();
}

// An elementwise operation on a reduction's result takes the shape that the reduction works on, so that it can become
// its epilogue: a matrix product of three dimensions multiplies with two of them made one.
bool shouldCollapse(OpOperand *operand) {
  auto expand = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || !expand->hasOneUse() || !expand.getSrc().hasOneUse()) return false;
  auto producer = expand.getSrc().getDefiningOp<linalg::GenericOp>();
  return producer && isReduction(producer) && canBeEpilogue(*operand);
}

// An elementwise operation on an image that was made larger by repeating its pixels takes the shape in which the
// repeated ones have dimensions of their own, so that it reads the small image.
bool shouldExpand(OpOperand *operand) {
  auto collapse = operand->get().getDefiningOp<tensor::CollapseShapeOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!collapse || !collapse->hasOneUse() || !consumer || isReduction(consumer) || hasExtract(consumer)) return false;
  auto producer = collapse.getSrc().getDefiningOp<linalg::GenericOp>();
  return producer && producer->hasOneUse() && isCopyOrFill(producer) && producer.getNumDpsInputs() == 1 &&
         !producer.getMatchingIndexingMap(producer.getDpsInputOperand(0)).isPermutation();
}

}  // namespace

llvm::Error normalizeTensorIR(ModuleOp module, llvm::StringRef dumpDir) {
  MLIRContext *context = module.getContext();
  {
    RewritePatternSet patterns(context);
    linalg::populateLinalgNamedOpsGeneralizationPatterns(patterns);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return llvm::createStringError("internal: generalising named operations did not converge");
  }
  PassManager passes(context);
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  if (failed(passes.run(module))) return llvm::createStringError("internal: canonicalisation failed");
  if (llvm::Error error = dumpPhase(dumpDir, "2-generalized.mlir", module)) return error;
  {
    RewritePatternSet patterns(context);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldExpand);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return llvm::createStringError("internal: expanding elementwise operations did not converge");
  }
  {
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return llvm::createStringError("internal: elementwise fusion did not converge");
  }
  {
    RewritePatternSet patterns(context);
    linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns, shouldCollapse);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return llvm::createStringError("internal: collapsing elementwise operations did not converge");
  }
  PassManager cleanup(context);
  cleanup.addPass(createCanonicalizerPass());
  cleanup.addPass(createCSEPass());
  if (failed(cleanup.run(module))) return llvm::createStringError("internal: canonicalisation failed");
  return dumpPhase(dumpDir, "3-fused.mlir", module);
}

}  // namespace crosscut
