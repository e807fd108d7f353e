#include <random>

#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;

namespace {

// The numbers in 0 ... 1 that numpy's RandomState draws from a seed, as ONNX's reference does.
Value randomNumbers(Emitter &e, ArrayRef<int64_t> shape, uint32_t seed, StringRef name) {
  std::mt19937 generator(seed);
  std::string bytes;
  HostTensor tensor{kF32, name.str(), {shape.begin(), shape.end()}, nullptr};
  for (int64_t i = 0, n = tensor.count(); i < n; ++i) {
    uint32_t high = uint32_t(generator()) >> 5, low = uint32_t(generator()) >> 6;
    float value = float((high * 67108864.0 + low) / 9007199254740992.0);
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  tensor.bytes = std::make_shared<const std::string>(std::move(bytes));
  return e.constant(tensor);
}

}  // namespace

// Inference: the identity. Training draws its numbers at compile time, from the seed that the model has to give.
LogicalResult lowerDropout(Op &op) {
  Emitter &e = op.e;
  const HostTensor *training = op.host(2);
  if (!op.has(2) || (training && training->count() == 1 && !*training->as<uint8_t>())) {
    op.result(0, op.tensor(0));
    if (op.wants(1)) op.result(1, e.splat(op.dims(0), e.elementType(kBool), 1), kBool);
    return success();
  }
  SmallVector<int64_t> shape;
  if (!op.hasAttribute("seed")) return op.fail("training_mode needs a seed");
  if (failed(staticDims(op, 0, shape))) return failure();
  Value random = randomNumbers(e, shape, uint32_t(op.attribute("seed", int64_t(0))), op.node.outputs[0] + ".random");
  Value mode = e.reshape(op.in(2), {}), ratio = op.has(1) ? e.reshape(op.in(1), {}) : Value();
  auto dropRatio = [&](Body &s) { return ratio ? extract(s, ratio, {}) : s.constant(s.b.getF32Type(), 0.5); };
  Value mask = e.map(e.elementType(kBool), {random}, [&](Body &s, ValueRange v) {
    Value keep = s.ge(v[0], dropRatio(s));
    return s.ori(keep, s.logicalNot(extract(s, mode, {})));
  });
  Value x = op.in(0);
  op.result(e.map(op.elementType(), {x, mask},
                  [&](Body &s, ValueRange v) {
                    Value scaled = s.div(v[0], s.sub(s.like(v[0], 1), dropRatio(s)));
                    Value kept = s.select(v[1], scaled, s.like(v[0], 0));
                    return s.select(extract(s, mode, {}), kept, v[0]);
                  }),
            op.type());
  if (op.wants(1)) op.result(1, mask, kBool);
  return success();
}

}  // namespace crosscut::onnxir
