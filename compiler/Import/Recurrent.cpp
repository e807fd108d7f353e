// RNN, LSTM and GRU over a sequence of known length, written out step by step. What the inputs add to all gates is one
// matrix product for the whole sequence; each step multiplies the state only.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

constexpr int64_t kMaxSteps = 1024;

using Activation = Value (*)(Body &, Value);
Activation activationFor(StringRef name) {
  if (name == "Tanh") return [](Body &s, Value x) { return s.op<math::TanhOp>(x); };
  if (name == "Relu") return [](Body &s, Value x) { return s.select(s.lt(x, s.like(x, 0)), s.like(x, 0), x); };
  if (name == "Sigmoid")
    return [](Body &s, Value x) {
      Value one = s.like(x, 1);
      return s.div(one, s.add(one, s.op<math::ExpOp>(s.neg(x))));
    };
  return nullptr;
}

// One direction of one recurrent layer.
class Cell {
 public:
  Cell(Op &op, int64_t gates) : op(op), e(op.e), gates(gates), element(op.elementType()) {}

  Op &op;
  Emitter &e;
  int64_t gates;
  Type element;
  OpFoldResult batch, hidden;
  SmallVector<Activation> activations;
  std::optional<float> clip;
  bool linearBeforeReset = false, inputForget = false;
  Value weightsR, biasR, peepholes;  // [G*H, H], [G*H], [3*H]
  Value lengths;                     // [B], null: all full

  // a [m, k] times b [n, k] transposed, added to init [m, n].
  Value product(Value a, Value b, Value init) {
    AffineExpr i = e.b.getAffineDimExpr(0), j = e.b.getAffineDimExpr(1), k = e.b.getAffineDimExpr(2);
    auto map = [&](AffineExpr x, AffineExpr y) { return AffineMap::get(3, 0, {x, y}, e.b.getContext()); };
    return e.generic({a, b}, init, {map(i, k), map(j, k), map(i, j)},
                     {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction},
                     [](Body &s, ValueRange v) { return s.add(v[2], s.mul(v[0], v[1])); });
  }
  Value zeros(const Dims &dims, Value bias = {}) {
    return bias ? e.broadcastTo(bias, dims) : e.splat(dims, element, 0);
  }
  // Part g of [.., G*H] along the last dimension.
  Value part(Value v, int64_t g) {
    Dims dims = e.dims(v), offsets(dims.size(), e.attr(0));
    offsets.back() = e.mul(e.attr(g), hidden);
    dims.back() = hidden;
    return e.slice(v, offsets, dims, SmallVector<int64_t>(dims.size(), 1));
  }
  Value rows(Value weights, int64_t first, int64_t count) {
    Dims dims = e.dims(weights), offsets(dims.size(), e.attr(0));
    offsets[0] = e.mul(e.attr(first), hidden);
    dims[0] = e.mul(e.attr(count), hidden);
    return e.slice(weights, offsets, dims, SmallVector<int64_t>(dims.size(), 1));
  }
  Value activate(Body &s, unsigned which, Value x) {
    if (clip) {
      Value low = s.like(x, -*clip), high = s.like(x, *clip);
      x = s.select(s.lt(x, low), low, x);
      x = s.select(s.gt(x, high), high, x);
    }
    return activations[which](s, x);
  }
  Value map(ArrayRef<Value> inputs, BodyFn body) { return e.map({batch, hidden}, element, inputs, body); }

  // The next hidden state from the input's part [B, G*H], with the bias inside; updates `c` for an LSTM.
  Value step(Value x, Value h, Value &c) {
    if (op.node.op == "RNN")
      return map({product(h, weightsR, x)}, [&](Body &s, ValueRange v) { return activate(s, 0, v[0]); });
    return op.node.op == "LSTM" ? lstm(x, h, c) : gru(x, h);
  }

  Value lstm(Value x, Value h, Value &c) {
    Value all = product(h, weightsR, x);
    auto gate = [&](int64_t g, unsigned which, Value cell, int64_t peephole) {
      SmallVector<Value> inputs{part(all, g)};
      if (peepholes && cell) inputs.append({cell, part(peepholes, peephole)});
      return map(inputs, [&](Body &s, ValueRange v) {
        return activate(s, which, v.size() == 1 ? v[0] : s.add(v[0], s.mul(v[1], v[2])));
      });
    };
    Value i = gate(0, 0, c, 0), g = gate(3, 1, {}, 0);
    Value f =
        inputForget ? map({i}, [](Body &s, ValueRange v) { return s.sub(s.like(v[0], 1), v[0]); }) : gate(2, 0, c, 2);
    c = map({f, c, i, g}, [](Body &s, ValueRange v) { return s.add(s.mul(v[0], v[1]), s.mul(v[2], v[3])); });
    Value o = gate(1, 0, c, 1);
    return map({o, c}, [&](Body &s, ValueRange v) { return s.mul(v[0], activations[2](s, v[1])); });
  }

  Value gru(Value x, Value h) {
    Dims two{batch, e.mul(e.attr(2), hidden)};
    Dims offsets(2, e.attr(0));
    Value zr = product(h, rows(weightsR, 0, 2), e.slice(x, offsets, two, {1, 1}));
    auto gate = [&](int64_t g) {
      return map({part(zr, g)}, [&](Body &s, ValueRange v) { return activate(s, 0, v[0]); });
    };
    Value z = gate(0), r = gate(1), xh = part(x, 2), candidate;
    Value rh = rows(weightsR, 2, 1), bias = biasR ? rows(biasR, 2, 1) : Value();
    if (linearBeforeReset) {
      Value linear = product(h, rh, zeros({batch, hidden}, bias));
      candidate =
          map({xh, r, linear}, [&](Body &s, ValueRange v) { return activate(s, 1, s.add(v[0], s.mul(v[1], v[2]))); });
    } else {
      Value reset = map({r, h}, [](Body &s, ValueRange v) { return s.mul(v[0], v[1]); });
      SmallVector<Value> inputs{product(reset, rh, xh)};
      if (bias) inputs.push_back(bias);
      candidate =
          map(inputs, [&](Body &s, ValueRange v) { return activate(s, 1, v.size() == 1 ? v[0] : s.add(v[0], v[1])); });
    }
    return map({z, candidate, h}, [](Body &s, ValueRange v) {
      return s.add(s.mul(s.sub(s.like(v[0], 1), v[0]), v[1]), s.mul(v[0], v[2]));
    });
  }
};

}  // namespace

LogicalResult lowerRecurrent(Op &op) {
  Emitter &e = op.e;
  bool isLstm = op.node.op == "LSTM";
  int64_t gates = isLstm ? 4 : op.node.op == "GRU" ? 3 : 1, perDirection = isLstm ? 3 : op.node.op == "GRU" ? 2 : 1;
  bool batchFirst = op.attribute("layout", int64_t(0));
  Value x = op.in(0);
  if (op.rank(0) != 3 || op.rank(1) != 3 || op.rank(2) != 3) return op.fail("X, W and R have to be of rank 3");
  if (batchFirst) x = e.transpose(x, {1, 0, 2});
  Dims dx = e.dims(x);
  auto steps = constantOf(dx[0]), directions = constantOf(op.dims(1)[0]);
  if (!steps || *steps < 1 || *steps > kMaxSteps)
    return op.fail("the sequence has to have a known length of 1 to " + Twine(kMaxSteps));
  std::string direction = op.attribute("direction", "forward");
  if (directions != (direction == "bidirectional" ? 2 : 1)) return op.fail("W does not fit the direction");
  if (!constantOf(op.dims(2)[2])) return op.fail("the hidden size has to be known");

  SmallVector<std::string> names;
  if (auto it = op.node.attributes.find("activations"); it != op.node.attributes.end())
    names.assign(it->second.strings.begin(), it->second.strings.end());
  else
    for (int64_t d = 0; d < *directions; ++d)
      for (int64_t i = 0; i < perDirection; ++i) names.push_back(gates > 1 && i == 0 ? "Sigmoid" : "Tanh");
  if (int64_t(names.size()) < perDirection * *directions) return op.fail("activations do not fit the directions");

  Dims whole{e.mul(dx[0], dx[1]), dx[2]};
  SmallVector<Value> sequences, lastH, lastC;
  for (int64_t d = 0; d < *directions; ++d) {
    Cell cell(op, gates);
    cell.batch = dx[1];
    cell.hidden = op.dims(2)[2];
    for (int64_t i = 0; i < perDirection; ++i) {
      const std::string &name = names[d * perDirection + i];
      cell.activations.push_back(activationFor(name));
      if (!cell.activations.back()) return op.fail("activation '" + name + "' is not supported");
    }
    if (op.hasAttribute("clip")) cell.clip = op.attribute("clip", 0.0f);
    cell.linearBeforeReset = op.attribute("linear_before_reset", int64_t(0));
    cell.inputForget = op.attribute("input_forget", int64_t(0));
    // This direction's part of a parameter whose first dimension is the direction.
    auto own = [&](unsigned input, int64_t axis = 0) {
      Value v = op.in(input);
      Dims dims = e.dims(v), offsets(dims.size(), e.attr(0)), rest = dims;
      offsets[axis] = e.attr(d);
      dims[axis] = e.attr(1);
      rest.erase(rest.begin() + axis);
      return e.reshape(e.slice(v, offsets, dims, SmallVector<int64_t>(dims.size(), 1)), rest);
    };
    Value weightsW = own(1);
    cell.weightsR = own(2);
    Value bias;
    if (op.has(3)) {
      Value both = own(3), w = cell.rows(both, 0, gates);
      cell.biasR = cell.rows(both, gates, gates);
      // A GRU's candidate gate has its recurrent bias elsewhere.
      bool gru = op.node.op == "GRU";
      bias = e.map(op.elementType(), {w, cell.biasR}, [&](Body &s, ValueRange v) {
        Value sum = s.add(v[0], v[1]);
        if (!gru) return sum;
        Value candidate = s.ge(s.iv(0), s.index(2 * *constantOf(cell.hidden)));
        return s.select(candidate, v[0], sum);
      });
    }
    if (op.has(4)) cell.lengths = op.in(4);
    if (op.has(7)) cell.peepholes = own(7);
    OpFoldResult width = e.mul(e.attr(gates), cell.hidden);
    Dims projected{whole[0], width}, state{dx[1], cell.hidden};
    Value inputs = cell.product(e.reshape(x, whole), weightsW, cell.zeros(projected, bias));
    inputs = e.reshape(inputs, {dx[0], dx[1], width});
    int64_t stateAxis = batchFirst ? 1 : 0;
    Value h = op.has(5) ? own(5, stateAxis) : cell.zeros(state);
    Value c = isLstm ? (op.has(6) ? own(6, stateAxis) : cell.zeros(state)) : Value();
    bool backwards = direction == "reverse" || d == 1;
    SmallVector<Value> outputs(*steps);
    for (int64_t s = 0; s < *steps; ++s) {
      int64_t t = backwards ? *steps - 1 - s : s;
      Value at = e.slice(inputs, {e.attr(t), e.attr(0), e.attr(0)}, {e.attr(1), dx[1], width}, {1, 1, 1});
      Value nextC = c, next = cell.step(e.reshape(at, {dx[1], width}), h, nextC);
      Value shown = next;
      if (cell.lengths) {
        // Behind the end of a sequence the state stays and the output is zero.
        auto choose = [&](Value yes, Value no) {
          return cell.map({yes, no}, [&](Body &body, ValueRange v) {
            Value length = body.toIndex(extract(body, cell.lengths, {body.iv(0)}));
            return body.select(body.lt(body.index(t), length), v[0], v[1]);
          });
        };
        shown = choose(next, cell.zeros(state));
        next = choose(next, h);
        if (c) nextC = choose(nextC, c);
      }
      h = next;
      c = nextC;
      outputs[t] = e.reshape(shown, {e.attr(1), e.attr(1), dx[1], cell.hidden});
    }
    sequences.push_back(op.wants(0) ? e.concat(outputs, 0) : Value());
    lastH.push_back(e.reshape(h, {e.attr(1), dx[1], cell.hidden}));
    if (c) lastC.push_back(e.reshape(c, {e.attr(1), dx[1], cell.hidden}));
  }
  auto finishState = [&](unsigned i, ArrayRef<Value> parts) {
    if (!op.wants(i)) return;
    Value all = e.concat(parts, 0);
    op.result(i, batchFirst ? e.transpose(all, {1, 0, 2}) : all, op.type());
  };
  if (op.wants(0)) {
    Value all = e.concat(sequences, 1);
    op.result(0, batchFirst ? e.transpose(all, {2, 0, 1, 3}) : all, op.type());
  }
  finishState(1, lastH);
  if (isLstm) finishState(2, lastC);
  return success();
}

}  // namespace crosscut::onnxir
