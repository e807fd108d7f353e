// What the generators share: loading operands and applying epilogues in registers.
#include "compiler/Codegen/Kernels.h"

using namespace mlir;

namespace crosscut {

Value loadOperand(KernelBuilder &k, const Operand &operand, Value pointer, Lanes lanes, int vectorLoop) {
  if (operand.splat) return k.constant(operand.splat);
  Size stride = vectorLoop < 0 ? getAffineConstantExpr(0, k.b.getContext()) : operand.strides[vectorLoop];
  return k.load(pointer, operand.element, lanes, stride);
}

SmallVector<Value> applyEpilogues(KernelBuilder &k, const Step &step, LoopSpace &space, SmallVector<Value> values,
                                  Lanes lanes, int vectorLoop, llvm::function_ref<Value(const Operand &)> pointer,
                                  llvm::function_ref<Value(unsigned)> loopValue) {
  for (auto [e, epilogue] : llvm::enumerate(step.epilogues)) {
    SmallVector<Value> arguments;
    for (unsigned i = 0; i < epilogue.inputs.size(); ++i) {
      if (epilogue.chained[i]) {
        arguments.push_back(values[0]);
        continue;
      }
      Operand *operand = space.find(Operand::EpilogueInput, i, e);
      arguments.push_back(loadOperand(k, *operand, operand->splat ? Value() : pointer(*operand), lanes, vectorLoop));
    }
    Block &body = epilogue.op->getRegion(0).front();
    // The outs operand of an elementwise operation is not read; should a body name it all the same, it gets zero.
    while (arguments.size() < body.getNumArguments())
      arguments.push_back(k.constant(cast<TypedAttr>(k.b.getZeroAttr(body.getArgument(arguments.size()).getType()))));
    BodyContext context;
    auto index = [&](unsigned loop) { return loopValue(epilogue.loopOf[loop]); };
    context.index = index;
    context.lanes = lanes.count;
    context.captured = epilogue.captured;
    if (vectorLoop >= 0)
      for (unsigned loop = 0; loop < epilogue.loopOf.size(); ++loop)
        if (llvm::is_contained(space.loops[vectorLoop].members, epilogue.loopOf[loop])) context.vectorLoop = loop;
    values = k.cloneBody(body, arguments, context);
  }
  return values;
}

bool allowsUnusedLanes(const Step &step) {
  return llvm::all_of(step.epilogues, [](const Epilogue &epilogue) {
    Block &body = epilogue.op->getRegion(0).front();
    return isVectorizable(body) && llvm::none_of(body, [](Operation &op) {
             return isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp,
                        arith::CeilDivSIOp, arith::CeilDivUIOp>(op);
           });
  });
}

}  // namespace crosscut
