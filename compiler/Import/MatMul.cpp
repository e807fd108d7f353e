// MatMul and Gemm: one linalg.generic over (batch..., m, n, k) with a body of one multiply and one add. Transposed
// operands are indexing maps, batches of the left side alone are rows of one larger product, a bias is the init.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

static Value multiplyAdd(Body &s, ValueRange v) { return s.add(v[2], s.mul(v[0], v[1])); }

LogicalResult lowerGemm(Op &op) {
  Emitter &e = op.e;
  Value a = op.in(0), b = op.in(1);
  bool transA = op.attribute("transA", int64_t(0)), transB = op.attribute("transB", int64_t(0));
  float alpha = op.attribute("alpha", 1.0f), beta = op.attribute("beta", 1.0f);
  Dims da = op.dims(0), db = op.dims(1);
  if (da.size() != 2 || db.size() != 2) return op.fail("operands have to be of rank 2");
  OpFoldResult m = da[transA ? 1 : 0], n = db[transB ? 0 : 1], ka = da[transA ? 0 : 1], kb = db[transB ? 1 : 0];
  if (constantOf(ka) && constantOf(kb) && constantOf(ka) != constantOf(kb))
    return op.fail("the inner dimensions " + Twine(*constantOf(ka)) + " and " + Twine(*constantOf(kb)) + " differ");
  Dims out{m, n};
  Type element = op.elementType();
  bool isFloating = isFloat(op.type());
  Value c = op.has(2) && beta != 0 ? op.in(2) : Value();

  Value init;
  if (c && alpha == 1 && beta == 1) {
    Dims dc = op.dims(2);
    bool row = (dc.size() == 1 && dc[0] == n) || (dc.size() == 2 && constantOf(dc[0]) == 1 && dc[1] == n);
    if (row && constantOf(n) != 1) {
      init = e.broadcastTo(e.reshape(c, {n}), out);
      c = {};
    }
  }
  if (!init) init = e.splat(out, element, 0);
  AffineExpr i = e.b.getAffineDimExpr(0), j = e.b.getAffineDimExpr(1), k = e.b.getAffineDimExpr(2);
  auto map = [&](AffineExpr x, AffineExpr y) { return AffineMap::get(3, 0, {x, y}, e.b.getContext()); };
  Value product = e.generic({a, b}, init, {transA ? map(k, i) : map(i, k), transB ? map(j, k) : map(k, j), map(i, j)},
                            {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction}, multiplyAdd);
  if (c || alpha != 1) {
    if (!isFloating && (alpha != int64_t(alpha) || beta != int64_t(beta)))
      return op.fail("alpha and beta of an integer product have to be whole numbers");
    SmallVector<Value> inputs{product};
    if (c) inputs.push_back(c);
    product = e.map(out, element, inputs, [&](Body &s, ValueRange v) {
      Value r = alpha == 1 ? v[0] : s.mul(v[0], s.like(v[0], alpha));
      if (c) r = s.add(r, beta == 1 ? v[1] : s.mul(v[1], s.like(v[1], beta)));
      return r;
    });
  }
  op.result(product, op.type());
  return success();
}

Value matmul(Emitter &e, Value a, Value b, Type element) {
  Dims da = e.dims(a), db = e.dims(b);
  bool vectorA = da.size() == 1, vectorB = db.size() == 1;
  if (vectorA) a = e.reshape(a, da = {e.attr(1), da[0]});
  if (vectorB) b = e.reshape(b, db = {db[0], e.attr(1)});
  OpFoldResult m = da[da.size() - 2], k = da.back(), n = db.back();

  // Batches of the left side alone become rows of one product.
  Dims batch;
  bool rows = db.size() == 2 && da.size() > 2;
  if (rows) {
    batch.assign(da.begin(), da.end() - 2);
    OpFoldResult all = e.mul(e.product(batch), m);
    a = e.reshape(a, da = {all, k});
  }
  size_t rank = std::max(da.size(), db.size()) - 2;
  Dims out(rank, e.attr(1));
  unsigned loops = rank + 3;
  SmallVector<AffineExpr> mapA, mapB, mapOut;
  for (size_t d = 0; d < rank; ++d) {
    AffineExpr at = e.b.getAffineDimExpr(d), zero = e.b.getAffineConstantExpr(0);
    bool inA = d + da.size() >= rank + 2, inB = d + db.size() >= rank + 2;
    OpFoldResult sizeA = inA ? da[d + da.size() - rank - 2] : e.attr(1);
    OpFoldResult sizeB = inB ? db[d + db.size() - rank - 2] : e.attr(1);
    out[d] = constantOf(sizeA) == 1 || (constantOf(sizeB) && constantOf(sizeB) != 1) ? sizeB : sizeA;
    if (inA) mapA.push_back(constantOf(sizeA) == 1 && constantOf(out[d]) != 1 ? zero : at);
    if (inB) mapB.push_back(constantOf(sizeB) == 1 && constantOf(out[d]) != 1 ? zero : at);
    mapOut.push_back(at);
  }
  AffineExpr i = e.b.getAffineDimExpr(rank), j = e.b.getAffineDimExpr(rank + 1), l = e.b.getAffineDimExpr(rank + 2);
  mapA.append({i, l});
  mapB.append({l, j});
  mapOut.append({i, j});
  out.push_back(da[da.size() - 2]);
  out.push_back(n);
  SmallVector<IteratorType> iterators(loops, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  MLIRContext *context = e.b.getContext();
  Value result = e.generic({a, b}, e.splat(out, element, 0),
                           {AffineMap::get(loops, 0, mapA, context), AffineMap::get(loops, 0, mapB, context),
                            AffineMap::get(loops, 0, mapOut, context)},
                           iterators, multiplyAdd);
  Dims whole = out;
  if (rows) {
    whole = batch;
    whole.push_back(m);
    whole.push_back(n);
  }
  if (vectorB) whole.pop_back();
  if (vectorA) whole.erase(whole.end() - (vectorB ? 1 : 2));
  return e.reshape(result, whole);
}

LogicalResult lowerMatMul(Op &op) {
  Dims da = op.dims(0), db = op.dims(1);
  if (da.empty() || db.empty()) return op.fail("operands have to be of rank 1 or more");
  auto ka = constantOf(da.back()), kb = constantOf(db.size() == 1 ? db[0] : db[db.size() - 2]);
  if (ka && kb && ka != kb) return op.fail("the inner dimensions " + Twine(*ka) + " and " + Twine(*kb) + " differ");
  op.result(matmul(op.e, op.in(0), op.in(1), op.elementType()), op.type());
  return success();
}

// Of small square matrices, by Laplace's expansion along the first row, written out.
LogicalResult lowerDet(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  auto n = dims.size() < 2 ? std::nullopt : constantOf(dims.back());
  if (!n || *n < 1 || *n > 4 || constantOf(dims[dims.size() - 2]) != n)
    return op.fail("only square matrices of up to 4 rows are supported");
  Value x = op.in(0);
  Dims out(dims.begin(), dims.end() - 2);
  op.result(e.produce(out, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        auto at = [&](int64_t row, int64_t column) {
                          SmallVector<Value> position(iv);
                          position.append({s.index(row), s.index(column)});
                          return extract(s, x, position);
                        };
                        std::function<Value(int64_t, ArrayRef<int64_t>)> minor = [&](int64_t row,
                                                                                     ArrayRef<int64_t> columns) {
                          if (columns.size() == 1) return at(row, columns[0]);
                          Value sum;
                          for (size_t i = 0; i < columns.size(); ++i) {
                            SmallVector<int64_t> rest(columns);
                            rest.erase(rest.begin() + i);
                            Value term = s.mul(at(row, columns[i]), minor(row + 1, rest));
                            sum = !sum ? term : i % 2 ? s.sub(sum, term) : s.add(sum, term);
                          }
                          return sum;
                        };
                        SmallVector<int64_t> all;
                        for (int64_t c = 0; c < *n; ++c) all.push_back(c);
                        return minor(0, all);
                      }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
