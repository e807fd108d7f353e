// Readings of a 10-bit converter to degrees Fahrenheit. The curve of the sensor is the program's to know: the function
// "sensor.Linearize" has no body here. It is given the curve's points, in 1/64 degrees Celsius, as an attribute.
func.func private @"sensor.Linearize"(tensor<4xi32>) -> tensor<4xi32>

func.func @main(%readings: tensor<4xi32>) -> tensor<4xf32> {
  %least = arith.constant dense<0> : tensor<4xi32>
  %most = arith.constant dense<1023> : tensor<4xi32>
  %above = arith.maxsi %readings, %least : tensor<4xi32>
  %valid = arith.minsi %above, %most : tensor<4xi32>
  %parts = func.call @"sensor.Linearize"(%valid) {xcut.attributes = {
    points = dense<[-2560, 0, 1600, 3840, 7680]> : tensor<5xi32>, step = 256 : i64
  }} : (tensor<4xi32>) -> tensor<4xi32>
  %celsius = arith.sitofp %parts : tensor<4xi32> to tensor<4xf32>
  %ratio = arith.constant dense<0.02734375> : tensor<4xf32>  // 1.75 / 64
  %offset = arith.constant dense<32.0> : tensor<4xf32>
  %scaled = arith.mulf %celsius, %ratio : tensor<4xf32>
  %fahrenheit = arith.addf %scaled, %offset : tensor<4xf32>
  return %fahrenheit : tensor<4xf32>
}
