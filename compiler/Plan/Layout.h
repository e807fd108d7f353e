// Chooses the order in memory of every tensor value's dimensions.
//
// Convolutions and windows produce channels-last results; everything after them keeps the order of what it reads, so
// that transposes happen at the edges of the graph alone. Nothing here moves data: a kernel reads and writes any order
// through its strides, some faster than others.
#pragma once

#include "compiler/Plan/Refs.h"
#include "compiler/Plan/Shapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace crosscut {

class Layout {
 public:
  Layout(mlir::func::FuncOp function, Shapes &shapes) : shapes(shapes) { assign(function); }
  const Order &orderOf(mlir::Value tensor) const { return orders.find(tensor)->second; }

 private:
  void assign(mlir::func::FuncOp function);
  Order orderFor(mlir::Operation *op, mlir::Value result);
  Order wantedByUsers(mlir::Value value);
  void insertRepeated(Order &order, llvm::ArrayRef<unsigned> repeated, mlir::Value result);

  Shapes &shapes;
  llvm::DenseMap<mlir::Value, Order> orders;
};

}  // namespace crosscut
