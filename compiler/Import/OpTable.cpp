#include "compiler/Import/OpTable.h"

#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

namespace {

struct Entry {
  const char *op;
  Lowering lowering;
};

const Entry kTable[] = {
    {"Abs", lowerUnary},
    {"Acos", lowerUnary},
    {"Acosh", lowerUnary},
    {"Add", lowerArithmetic},
    {"And", lowerArithmetic},
    {"ArgMax", lowerArgReduce},
    {"ArgMin", lowerArgReduce},
    {"Asin", lowerUnary},
    {"Asinh", lowerUnary},
    {"Atan", lowerUnary},
    {"Atanh", lowerUnary},
    {"AveragePool", lowerAveragePool},
    {"BatchNormalization", lowerBatchNorm},
    {"BitShift", lowerBitShift},
    {"BitwiseAnd", lowerArithmetic},
    {"BitwiseNot", lowerUnary},
    {"BitwiseOr", lowerArithmetic},
    {"BitwiseXor", lowerArithmetic},
    {"Cast", lowerCast},
    {"CastLike", lowerCast},
    {"Ceil", lowerUnary},
    {"Celu", lowerActivation},
    {"Clip", lowerClip},
    {"Concat", lowerConcat},
    {"Conv", lowerConv},
    {"ConvTranspose", lowerConvTranspose},
    {"Cos", lowerUnary},
    {"Cosh", lowerUnary},
    {"CumProd", lowerCumulative},
    {"CumSum", lowerCumulative},
    {"DepthToSpace", lowerDepthToSpace},
    {"Div", lowerArithmetic},
    {"Dropout", lowerDropout},
    {"Elu", lowerActivation},
    {"Equal", lowerComparison},
    {"Erf", lowerUnary},
    {"Exp", lowerUnary},
    {"Expand", lowerExpand},
    {"Flatten", lowerFlatten},
    {"Floor", lowerUnary},
    {"Gelu", lowerActivation},
    {"Gemm", lowerGemm},
    {"GlobalAveragePool", lowerGlobalPool},
    {"GlobalLpPool", lowerGlobalPool},
    {"GlobalMaxPool", lowerGlobalPool},
    {"Greater", lowerComparison},
    {"GreaterOrEqual", lowerComparison},
    {"GroupNormalization", lowerGroupNorm},
    {"HardSigmoid", lowerActivation},
    {"HardSwish", lowerUnary},
    {"Hardmax", lowerHardmax},
    {"Identity", lowerUnary},
    {"InstanceNormalization", lowerInstanceNorm},
    {"IsInf", lowerIsInf},
    {"IsNaN", lowerIsNaN},
    {"LRN", lowerLRN},
    {"LayerNormalization", lowerLayerNorm},
    {"LeakyRelu", lowerActivation},
    {"Less", lowerComparison},
    {"LessOrEqual", lowerComparison},
    {"Log", lowerUnary},
    {"LogSoftmax", lowerSoftmax},
    {"LpNormalization", lowerLpNorm},
    {"LpPool", lowerLpPool},
    {"MatMul", lowerMatMul},
    {"MatMulInteger", lowerMatMulInteger},
    {"Max", lowerArithmetic},
    {"MaxPool", lowerMaxPool},
    {"Mean", lowerArithmetic},
    {"Min", lowerArithmetic},
    {"Mish", lowerUnary},
    {"Mod", lowerMod},
    {"Mul", lowerArithmetic},
    {"Neg", lowerUnary},
    {"Not", lowerUnary},
    {"Or", lowerArithmetic},
    {"PRelu", lowerPRelu},
    {"Pad", lowerPad},
    {"Pow", lowerPow},
    {"RMSNormalization", lowerLayerNorm},
    {"Reciprocal", lowerUnary},
    {"ReduceL1", lowerReduce},
    {"ReduceL2", lowerReduce},
    {"ReduceLogSum", lowerReduce},
    {"ReduceLogSumExp", lowerReduce},
    {"ReduceMax", lowerReduce},
    {"ReduceMean", lowerReduce},
    {"ReduceMin", lowerReduce},
    {"ReduceProd", lowerReduce},
    {"ReduceSum", lowerReduce},
    {"ReduceSumSquare", lowerReduce},
    {"Relu", lowerUnary},
    {"Reshape", lowerReshape},
    {"Round", lowerUnary},
    {"Selu", lowerActivation},
    {"Shrink", lowerActivation},
    {"Sigmoid", lowerUnary},
    {"Sign", lowerUnary},
    {"Sin", lowerUnary},
    {"Sinh", lowerUnary},
    {"Slice", lowerSlice},
    {"Softmax", lowerSoftmax},
    {"Softplus", lowerUnary},
    {"Softsign", lowerUnary},
    {"SpaceToDepth", lowerSpaceToDepth},
    {"Split", lowerSplit},
    {"Sqrt", lowerUnary},
    {"Squeeze", lowerSqueeze},
    {"Sub", lowerArithmetic},
    {"Sum", lowerArithmetic},
    {"Swish", lowerActivation},
    {"Tan", lowerUnary},
    {"Tanh", lowerUnary},
    {"ThresholdedRelu", lowerActivation},
    {"Tile", lowerTile},
    {"Transpose", lowerTranspose},
    {"Unsqueeze", lowerUnsqueeze},
    {"Where", lowerWhere},
    {"Xor", lowerArithmetic},
};

// Shape and Size never make a tensor by themselves: Scalars.cpp answers them. A Constant is one before lowering begins.
LogicalResult lowerKnown(Op &op) { return op.fail("its result is not known at compile time"); }

}  // namespace

Lowering findLowering(StringRef domain, StringRef op) {
  static const llvm::StringMap<Lowering> table = [] {
    llvm::StringMap<Lowering> map;
    for (const Entry &entry : kTable) map[entry.op] = entry.lowering;
    for (const char *known : {"Shape", "Size", "Constant"}) map[known] = lowerKnown;
    return map;
  }();
  if (!domain.empty()) return nullptr;
  return table.lookup(op);
}

}  // namespace crosscut::onnxir
