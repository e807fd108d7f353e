// Readings of a 10-bit converter to 0 ... 1: below the middle is 0, from the middle on 1.
func.func @main(%x: tensor<1x2xi32>) -> tensor<1x2xf32> {
  %middle = arith.constant dense<512> : tensor<1x2xi32>
  %one = arith.constant dense<1> : tensor<1x2xi32>
  %zero = arith.constant dense<0> : tensor<1x2xi32>
  %high = arith.cmpi sge, %x, %middle : tensor<1x2xi32>
  %bit = arith.select %high, %one, %zero : tensor<1x2xi1>, tensor<1x2xi32>
  %y = arith.sitofp %bit : tensor<1x2xi32> to tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
