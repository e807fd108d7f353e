// See WinogradTransform.h.
#include "compiler/Codegen/WinogradTransform.h"

using namespace mlir;

namespace crosscut {
namespace {

// The points of F(4x4, 3x3) beside zero and infinity, with both signs; ab = 1.
constexpr double a = 0.70710678118654752440, b = 1.41421356237309504880;
constexpr double a2 = a * a, b2 = b * b, a3 = a2 * a, b3 = b2 * b;
constexpr double factorTable[WinogradForm::factorVectors] = {a, b, a2, b2, a2 + b2, a3, b3};

// G for points p[0..n-2] and infinity: row j is (1, p, p²) divided by the product of p[j] - p[i], i != j.
void filterMatrix(llvm::ArrayRef<double> points, double (*g)[3]) {
  for (size_t j = 0; j < points.size(); ++j) {
    double divisor = 1;
    for (size_t i = 0; i < points.size(); ++i)
      if (i != j) divisor *= points[j] - points[i];
    for (int power = 0; power < 3; ++power) g[j][power] = std::pow(points[j], power) / divisor;
  }
  g[points.size()][0] = g[points.size()][1] = 0;
  g[points.size()][2] = 1;
}

}  // namespace

Value WinogradTransform::splat(double value, Type type) {
  auto scalar = k.b.getF32FloatAttr(value);
  if (auto vector = dyn_cast<VectorType>(type); vector && factors) {
    const double *place = llvm::find(factorTable, value);
    assert(place != std::end(factorTable) && "a factor that is not in the table");
    Value at = k.advance(factors, vector.getElementType(), k.c((place - factorTable) * k.target.lanes()));
    return k.load(at, vector.getElementType(), vector.getNumElements(), getAffineConstantExpr(1, k.b.getContext()));
  }
  if (auto vector = dyn_cast<VectorType>(type)) return k.constant(SplatElementsAttr::get(vector, scalar));
  return k.constant(scalar);
}

void WinogradTransform::keepFactorsAt(Value memory) {
  Type f32 = Float32Type::get(k.b.getContext());
  unsigned lanes = k.target.lanes();
  for (auto [i, value] : llvm::enumerate(factorTable))
    k.store(k.broadcast(k.constant(k.b.getF32FloatAttr(value)), lanes), k.advance(memory, f32, k.c(int64_t(i) * lanes)),
            f32, lanes, getAffineConstantExpr(1, k.b.getContext()));
  factors = memory;
}

Value WinogradTransform::add(Value x, Value y) { return arith::AddFOp::create(k.b, k.loc, x, y); }
Value WinogradTransform::sub(Value x, Value y) { return arith::SubFOp::create(k.b, k.loc, x, y); }
Value WinogradTransform::scale(double factor, Value x) {
  return arith::MulFOp::create(k.b, k.loc, x, splat(factor, x.getType()));
}
Value WinogradTransform::addScaled(Value x, double factor, Value y) {
  // The sign on the operand: instructions that subtract a product exist, and fewer constants are needed.
  if (factor < 0) {
    if (!k.target.hasFma) return sub(x, scale(-factor, y));
    return k.multiplyAdd(arith::NegFOp::create(k.b, k.loc, y), splat(-factor, y.getType()), x);
  }
  return k.multiplyAdd(y, splat(factor, y.getType()), x);
}

SmallVector<Value> WinogradTransform::input(ArrayRef<Value> d) {
  if (form.stride == 2) return {sub(d[0], d[2]), d[2], sub(d[4], d[2]), d[1], d[3]};
  if (form.outputs == 2) return {sub(d[2], d[0]), add(d[2], d[1]), sub(d[2], d[1]), sub(d[3], d[1])};
  // Rows for a point p and its opposite are d4 - q² d2 +- (p d3 - q d1), where q is the other point, 1/p. A
  // multiplication starts each odd part: with a multiply-add for every term, registers would have to be copied on NEON
  // and RVV.
  Value evenA = addScaled(d[4], -b2, d[2]), oddA = addScaled(scale(a, d[3]), -b, d[1]);
  Value evenB = addScaled(d[4], -a2, d[2]), oddB = addScaled(scale(b, d[3]), -a, d[1]);
  return {addScaled(add(d[4], d[0]), -(a2 + b2), d[2]),
          add(evenA, oddA),
          sub(evenA, oddA),
          add(evenB, oddB),
          sub(evenB, oddB),
          addScaled(add(d[5], d[1]), -(a2 + b2), d[3])};
}

SmallVector<Value> WinogradTransform::output(ArrayRef<Value> p) {
  if (form.stride == 2) return {add(p[3], add(p[0], p[1])), add(p[4], add(p[1], p[2]))};
  if (form.outputs == 2) return {add(p[0], add(p[1], p[2])), add(p[3], sub(p[1], p[2]))};
  Value evenA = add(p[1], p[2]), oddA = sub(p[1], p[2]), evenB = add(p[3], p[4]), oddB = sub(p[3], p[4]);
  return {add(p[0], add(evenA, evenB)), addScaled(scale(a, oddA), b, oddB), addScaled(scale(a2, evenA), b2, evenB),
          addScaled(addScaled(p[5], a3, oddA), b3, oddB)};
}

void transformFilter(const double (&w)[3][3], const WinogradForm &form, double *to) {
  double g[6][3] = {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}};  // with stride 2
  if (form.stride == 1 && form.outputs == 2) filterMatrix({0, 1, -1}, g);
  else if (form.stride == 1) filterMatrix({0, a, -a, b, -b}, g);
  unsigned points = form.points();
  for (unsigned i = 0; i < points; ++i) {
    double row[3] = {};
    for (int column = 0; column < 3; ++column)
      for (int n = 0; n < 3; ++n) row[column] += g[i][n] * w[n][column];
    for (unsigned j = 0; j < points; ++j) to[i * points + j] = g[j][0] * row[0] + g[j][1] * row[1] + g[j][2] * row[2];
  }
}

}  // namespace crosscut
