// relu(x) * 2: small enough for 16 KB of RAM, code and all.
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  %relu = arith.maximumf %x, %zero : tensor<4xf32>
  %sum = arith.addf %relu, %relu : tensor<4xf32>
  return %sum : tensor<4xf32>
}
