// y = w2 · relu(w1 · x + b1): 1 where exactly one of the two inputs is 1.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w1 = arith.constant dense<[[1.0, 1.0], [1.0, 1.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[[0.0, -1.0]]> : tensor<1x2xf32>
  %w2 = arith.constant dense<[[1.0], [-2.0]]> : tensor<2x1xf32>
  %zero = arith.constant dense<0.0> : tensor<1x2xf32>
  %none = arith.constant dense<0.0> : tensor<1x1xf32>
  %sum = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%b1 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %hidden = arith.maximumf %sum, %zero : tensor<1x2xf32>
  %y = linalg.matmul ins(%hidden, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%none : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
