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
    {"AffineGrid", lowerAffineGrid},
    {"And", lowerArithmetic},
    {"ArgMax", lowerArgReduce},
    {"ArgMin", lowerArgReduce},
    {"Asin", lowerUnary},
    {"Asinh", lowerUnary},
    {"Atan", lowerUnary},
    {"Atanh", lowerUnary},
    {"AveragePool", lowerAveragePool},
    {"BatchNormalization", lowerBatchNorm},
    {"BitCast", lowerBitCast},
    {"BitShift", lowerBitShift},
    {"BitwiseAnd", lowerArithmetic},
    {"BitwiseNot", lowerUnary},
    {"BitwiseOr", lowerArithmetic},
    {"BitwiseXor", lowerArithmetic},
    {"BlackmanWindow", lowerWindow},
    {"Cast", lowerCast},
    {"CastLike", lowerCast},
    {"Ceil", lowerUnary},
    {"Celu", lowerActivation},
    {"CenterCropPad", lowerCenterCropPad},
    {"Clip", lowerClip},
    {"Col2Im", lowerCol2Im},
    {"Compress", lowerCompress},
    {"Concat", lowerConcat},
    {"ConstantOfShape", lowerConstantOfShape},
    {"Conv", lowerConv},
    {"ConvInteger", lowerConvInteger},
    {"ConvTranspose", lowerConvTranspose},
    {"Cos", lowerUnary},
    {"Cosh", lowerUnary},
    {"CumProd", lowerCumulative},
    {"CumSum", lowerCumulative},
    {"DeformConv", lowerDeformConv},
    {"DepthToSpace", lowerDepthToSpace},
    {"DequantizeLinear", lowerDequantizeLinear},
    {"Det", lowerDet},
    {"Div", lowerArithmetic},
    {"Dropout", lowerDropout},
    {"Elu", lowerActivation},
    {"Equal", lowerComparison},
    {"Erf", lowerUnary},
    {"Exp", lowerUnary},
    {"Expand", lowerExpand},
    {"EyeLike", lowerEyeLike},
    {"Flatten", lowerFlatten},
    {"Floor", lowerUnary},
    {"GRU", lowerRecurrent},
    {"Gather", lowerGather},
    {"GatherElements", lowerGatherElements},
    {"GatherND", lowerGatherND},
    {"Gelu", lowerActivation},
    {"Gemm", lowerGemm},
    {"GlobalAveragePool", lowerGlobalPool},
    {"GlobalLpPool", lowerGlobalPool},
    {"GlobalMaxPool", lowerGlobalPool},
    {"Greater", lowerComparison},
    {"GreaterOrEqual", lowerComparison},
    {"GridSample", lowerGridSample},
    {"GroupNormalization", lowerGroupNorm},
    {"HammingWindow", lowerWindow},
    {"HannWindow", lowerWindow},
    {"HardSigmoid", lowerActivation},
    {"HardSwish", lowerUnary},
    {"Hardmax", lowerHardmax},
    {"Identity", lowerUnary},
    {"InstanceNormalization", lowerInstanceNorm},
    {"IsInf", lowerIsInf},
    {"IsNaN", lowerIsNaN},
    {"LRN", lowerLRN},
    {"LSTM", lowerRecurrent},
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
    {"MaxUnpool", lowerMaxUnpool},
    {"Mean", lowerArithmetic},
    {"Min", lowerArithmetic},
    {"Mish", lowerUnary},
    {"Mod", lowerMod},
    {"Mul", lowerArithmetic},
    {"Neg", lowerUnary},
    {"NonZero", lowerNonZero},
    {"Not", lowerUnary},
    {"OneHot", lowerOneHot},
    {"OptionalGetElement", lowerOptionalGetElement},
    {"OptionalHasElement", lowerOptionalHasElement},
    {"Or", lowerArithmetic},
    {"PRelu", lowerPRelu},
    {"Pad", lowerPad},
    {"Pow", lowerPow},
    {"QLinearConv", lowerQLinearConv},
    {"QLinearMatMul", lowerQLinearMatMul},
    {"QuantizeLinear", lowerQuantizeLinear},
    {"RMSNormalization", lowerLayerNorm},
    {"RNN", lowerRecurrent},
    {"Range", lowerRange},
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
    {"Resize", lowerResize},
    {"ReverseSequence", lowerReverseSequence},
    {"RoiAlign", lowerRoiAlign},
    {"Round", lowerUnary},
    {"STFT", lowerSTFT},
    {"Scatter", lowerScatterElements},
    {"ScatterElements", lowerScatterElements},
    {"ScatterND", lowerScatterND},
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
    {"TensorScatter", lowerTensorScatter},
    {"ThresholdedRelu", lowerActivation},
    {"Tile", lowerTile},
    {"TopK", lowerTopK},
    {"Transpose", lowerTranspose},
    {"Trilu", lowerTrilu},
    {"Unsqueeze", lowerUnsqueeze},
    {"Upsample", lowerResize},
    {"Where", lowerWhere},
    {"Xor", lowerArithmetic},
};

// Shape and Size never make a tensor by themselves: Scalars.cpp answers them. A Constant is one before lowering begins.
LogicalResult lowerKnown(Op &op) { return op.fail("its result is not known at compile time"); }

}  // namespace

bool isStandardDomain(StringRef domain) {
  return domain.empty() ||
         llvm::is_contained(
             {"ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training"}, domain);
}

Lowering findLowering(StringRef domain, StringRef op) {
  static const llvm::StringMap<Lowering> table = [] {
    llvm::StringMap<Lowering> map;
    for (const Entry &entry : kTable) map[entry.op] = entry.lowering;
    for (const char *known : {"Shape", "Size", "Constant"}) map[known] = lowerKnown;
    return map;
  }();
  if (isStandardDomain(domain)) return domain.empty() ? table.lookup(op) : nullptr;
  return lowerPlugin;
}

}  // namespace crosscut::onnxir
