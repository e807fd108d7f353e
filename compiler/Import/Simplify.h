// Rewrites of the ONNX graph that are easier before lowering than after.
#pragma once

#include "compiler/Import/OnnxModel.h"

namespace crosscut::onnxir {

// Constant nodes become entries of model.constants.
void gatherConstants(Model &model);
// Folds inference batch norms, and per-channel constant adds, into the convolution before them where nothing else reads
// the convolution's result.
void foldIntoConvolutions(Model &model);
// A transposed convolution whose stride is its kernel's size writes every output once: a pointwise convolution to all
// cells of a block, and a depth-to-space.
void splitTransposedConvolutions(Model &model);
// A result's stated shape tells the shapes of what it was computed from, where operators keep shapes: function bodies
// end in such operators, and what is before them may have a shape that only run time tells otherwise.
void propagateShapesBack(Model &model);
// Drops nodes that no output needs.
void dropDeadNodes(Model &model);

}  // namespace crosscut::onnxir
