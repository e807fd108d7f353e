// Which convolutions are computed by Winograd's minimal filtering, and in what pieces.
#pragma once

#include "compiler/Codegen/Cost.h"
#include "compiler/Plan/Plan.h"

namespace crosscut {

// The form in which the step, a reduction, is faster by Winograd's algorithm than as a sum of products; none when it is
// no 3x3 convolution of stride 1 or 2 with constant float weights, or when it would be slower. Scratch memory is left
// to the caller.
std::optional<WinogradForm> chooseWinograd(const Step &step, const PlanOptions &options);

// Its size for the model of cost; unknown extents are assumed.
ConvolutionSize sizeOf(const WinogradForm &form, const Nest &nest);

// Tiles of the whole convolution.
Size winogradTiles(const WinogradForm &form, const Nest &nest);

}  // namespace crosscut
