// Every lowering, by the file it lives in, and what several of them share. OpTable.cpp says which operator uses which.
#pragma once

#include "compiler/Import/Op.h"

namespace crosscut::onnxir {

using mlir::failed;
using mlir::failure;
using mlir::success;

// A sliding window over the spatial dimensions, with every size worked out.
struct Window {
  SmallVector<int64_t> kernel, strides, dilations;
  Dims low, high, out;  // padding before and after, output size
};
// From the attributes strides, dilations, pads and auto_pad.
LogicalResult readWindow(Op &op, ArrayRef<OpFoldResult> input, ArrayRef<int64_t> kernel, bool ceilMode, Window &window);
// Pads the spatial dimensions of [n, c, spatial...].
Value padSpatial(Emitter &e, Value x, const Window &window, mlir::TypedAttr value);
// True when a number was read from an argument's elements: it may be anything, also the -1 and 0 of Reshape.
bool comesFromData(OpFoldResult s);
// The static shape of an input; fails the node when it is not static.
LogicalResult staticDims(Op &op, unsigned input, SmallVector<int64_t> &result);

mlir::TypedAttr lowestValue(Emitter &e, Type element, bool isUnsigned);
mlir::TypedAttr highestValue(Emitter &e, Type element, bool isUnsigned);
Value absPower(Body &s, Value x, int64_t p);  // |x|^p
Value root(Body &s, Value x, int64_t p);      // x^(1/p)
// Divides a sum by how many elements it has.
Value scaleByCount(Emitter &e, Value sum, OpFoldResult count);
Value matmul(Emitter &e, Value a, Value b, Type element);
// The node's convolution (its attributes) of values that may differ from its inputs in type.
LogicalResult convolve(Op &op, Value input, Value weights, Value bias, Value &result);
// The dimensions without `axes`, and with them as 1.
Dims withoutAxes(const Dims &dims, ArrayRef<int64_t> axes);
Dims keepAxes(Emitter &e, const Dims &dims, ArrayRef<int64_t> axes);

#define CROSSCUT_LOWERING(name) LogicalResult name(Op &op)
// Elementwise.cpp
CROSSCUT_LOWERING(lowerUnary);
CROSSCUT_LOWERING(lowerActivation);
CROSSCUT_LOWERING(lowerArithmetic);
CROSSCUT_LOWERING(lowerComparison);
CROSSCUT_LOWERING(lowerMod);
CROSSCUT_LOWERING(lowerPow);
CROSSCUT_LOWERING(lowerBitShift);
CROSSCUT_LOWERING(lowerClip);
CROSSCUT_LOWERING(lowerPRelu);
CROSSCUT_LOWERING(lowerWhere);
CROSSCUT_LOWERING(lowerIsNaN);
CROSSCUT_LOWERING(lowerIsInf);
CROSSCUT_LOWERING(lowerCast);
CROSSCUT_LOWERING(lowerDropout);
// Conv.cpp, MatMul.cpp, Pool.cpp
CROSSCUT_LOWERING(lowerConv);
CROSSCUT_LOWERING(lowerConvTranspose);
CROSSCUT_LOWERING(lowerGemm);
CROSSCUT_LOWERING(lowerMatMul);
CROSSCUT_LOWERING(lowerDet);
CROSSCUT_LOWERING(lowerMaxPool);
CROSSCUT_LOWERING(lowerAveragePool);
CROSSCUT_LOWERING(lowerLpPool);
CROSSCUT_LOWERING(lowerGlobalPool);
// Reduce.cpp
CROSSCUT_LOWERING(lowerReduce);
CROSSCUT_LOWERING(lowerArgReduce);
CROSSCUT_LOWERING(lowerCumulative);
// Normalize.cpp
CROSSCUT_LOWERING(lowerSoftmax);
CROSSCUT_LOWERING(lowerHardmax);
CROSSCUT_LOWERING(lowerBatchNorm);
CROSSCUT_LOWERING(lowerLayerNorm);
CROSSCUT_LOWERING(lowerInstanceNorm);
CROSSCUT_LOWERING(lowerGroupNorm);
CROSSCUT_LOWERING(lowerLRN);
CROSSCUT_LOWERING(lowerLpNorm);
// Shape.cpp
CROSSCUT_LOWERING(lowerReshape);
CROSSCUT_LOWERING(lowerFlatten);
CROSSCUT_LOWERING(lowerSqueeze);
CROSSCUT_LOWERING(lowerUnsqueeze);
CROSSCUT_LOWERING(lowerTranspose);
CROSSCUT_LOWERING(lowerConcat);
CROSSCUT_LOWERING(lowerSplit);
CROSSCUT_LOWERING(lowerExpand);
CROSSCUT_LOWERING(lowerTile);
CROSSCUT_LOWERING(lowerDepthToSpace);
CROSSCUT_LOWERING(lowerSpaceToDepth);
// Slice.cpp
CROSSCUT_LOWERING(lowerSlice);
CROSSCUT_LOWERING(lowerPad);
// Gather.cpp
CROSSCUT_LOWERING(lowerGather);
CROSSCUT_LOWERING(lowerGatherElements);
CROSSCUT_LOWERING(lowerGatherND);
CROSSCUT_LOWERING(lowerScatterElements);
CROSSCUT_LOWERING(lowerScatterND);
CROSSCUT_LOWERING(lowerTensorScatter);
CROSSCUT_LOWERING(lowerOneHot);
CROSSCUT_LOWERING(lowerReverseSequence);
CROSSCUT_LOWERING(lowerTopK);
CROSSCUT_LOWERING(lowerCompress);
CROSSCUT_LOWERING(lowerNonZero);
// Create.cpp
CROSSCUT_LOWERING(lowerConstantOfShape);
CROSSCUT_LOWERING(lowerRange);
CROSSCUT_LOWERING(lowerEyeLike);
CROSSCUT_LOWERING(lowerTrilu);
CROSSCUT_LOWERING(lowerBitCast);
CROSSCUT_LOWERING(lowerOptionalHasElement);
CROSSCUT_LOWERING(lowerOptionalGetElement);
// Resize.cpp, Quantize.cpp
CROSSCUT_LOWERING(lowerResize);
CROSSCUT_LOWERING(lowerQuantizeLinear);
CROSSCUT_LOWERING(lowerDequantizeLinear);
CROSSCUT_LOWERING(lowerMatMulInteger);
CROSSCUT_LOWERING(lowerConvInteger);
CROSSCUT_LOWERING(lowerQLinearMatMul);
CROSSCUT_LOWERING(lowerQLinearConv);
CROSSCUT_LOWERING(lowerWindow);
// Vision.cpp
CROSSCUT_LOWERING(lowerGridSample);
CROSSCUT_LOWERING(lowerAffineGrid);
CROSSCUT_LOWERING(lowerCenterCropPad);
CROSSCUT_LOWERING(lowerMaxUnpool);
CROSSCUT_LOWERING(lowerCol2Im);
// Recurrent.cpp
CROSSCUT_LOWERING(lowerRecurrent);
// Plugin.cpp
CROSSCUT_LOWERING(lowerPlugin);
// Signal.cpp, Regions.cpp
CROSSCUT_LOWERING(lowerSTFT);
CROSSCUT_LOWERING(lowerRoiAlign);
CROSSCUT_LOWERING(lowerDeformConv);
#undef CROSSCUT_LOWERING

}  // namespace crosscut::onnxir
