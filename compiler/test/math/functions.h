// The functions under test, for the tool that compiles them and the driver that checks them.
//
// UNARY(name, operations, reference, ulps): f32 → f32. `operations` is MLIR that computes %y from %x (BINARY: and %z);
// in it T is the float type (f32 or a vector) and I the i32 type of the same shape. TO_INT: f32 → i32, exact.
// `reference` is C on doubles `x` (and `z`); `ulps` the largest error that MathExpansion.h states. by...: quotients.
#define MATH_UNARY_FUNCTIONS(UNARY)                                                                           \
  UNARY(exp, "%y = math.exp %x : T", exp(x), 1.0)                                                             \
  UNARY(exp2, "%y = math.exp2 %x : T", exp2(x), 1.2)                                                          \
  UNARY(expm1, "%y = math.expm1 %x : T", expm1(x), 1.6)                                                       \
  UNARY(log, "%y = math.log %x : T", log(x), 1.0)                                                             \
  UNARY(log2, "%y = math.log2 %x : T", log2(x), 1.2)                                                          \
  UNARY(log10, "%y = math.log10 %x : T", log10(x), 1.2)                                                       \
  UNARY(log1p, "%y = math.log1p %x : T", log1p(x), 1.6)                                                       \
  UNARY(tanh, "%y = math.tanh %x : T", tanh(x), 1.5)                                                          \
  UNARY(sinh, "%y = math.sinh %x : T", sinh(x), 2.5)                                                          \
  UNARY(cosh, "%y = math.cosh %x : T", cosh(x), 1.5)                                                          \
  UNARY(asinh, "%y = math.asinh %x : T", asinh(x), 2.0)                                                       \
  UNARY(acosh, "%y = math.acosh %x : T", acosh(x), 2.5)                                                       \
  UNARY(atanh, "%y = math.atanh %x : T", atanh(x), 2.5)                                                       \
  UNARY(sin, "%y = math.sin %x : T", sin(x), 1.0)                                                             \
  UNARY(cos, "%y = math.cos %x : T", cos(x), 1.0)                                                             \
  UNARY(tan, "%y = math.tan %x : T", tan(x), 2.5)                                                             \
  UNARY(asin, "%y = math.asin %x : T", asin(x), 2.2)                                                          \
  UNARY(acos, "%y = math.acos %x : T", acos(x), 1.3)                                                          \
  UNARY(atan, "%y = math.atan %x : T", atan(x), 1.8)                                                          \
  UNARY(erf, "%y = math.erf %x : T", erf(x), 2.0)                                                             \
  UNARY(erfc, "%y = math.erfc %x : T", erfc(x), 5.0)                                                          \
  UNARY(cbrt, "%y = math.cbrt %x : T", cbrt(x), 0.6)                                                          \
  UNARY(rsqrt, "%y = math.rsqrt %x : T", 1 / sqrt(x), 1.5)                                                    \
  UNARY(sqrt, "%y = math.sqrt %x : T", sqrt(x), 0.5)                                                          \
  UNARY(floor, "%y = math.floor %x : T", floor(x), 0.0)                                                       \
  UNARY(ceil, "%y = math.ceil %x : T", ceil(x), 0.0)                                                          \
  UNARY(trunc, "%y = math.trunc %x : T", trunc(x), 0.0)                                                       \
  UNARY(round, "%y = math.round %x : T", round(x), 0.0)                                                       \
  UNARY(roundeven, "%y = math.roundeven %x : T", rint(x), 0.0)                                                \
  UNARY(absf, "%y = math.absf %x : T", fabs(x), 0.0)                                                          \
  UNARY(square, "%e = arith.constant TWO : T %y = math.powf %x, %e : T", x *x, 0.5)                           \
  UNARY(cube, "%e = arith.constant THREE : T %y = math.powf %x, %e : T", x * x * x, 1.5)                      \
  UNARY(powhalf, "%e = arith.constant HALF : T %y = math.powf %x, %e : T", pow(x, 0.5), 0.5)                  \
  UNARY(powthird, "%e = arith.constant THIRD : T %y = math.powf %x, %e : T", pow(x, 0.3125), 1.5)             \
  UNARY(expdown,                                                                                              \
        "%o = arith.constant ZERO : T %m = arith.minimumf %x, %o : T "                                        \
        "%y = math.exp %m {xcut.not_positive} : T",                                                           \
        exp(x > 0 ? 0 : x), 1.0)                                                                              \
  UNARY(bythree, "%e = arith.constant THREE : T %y = arith.divf %x, %e : T", x / 3, 0.500001)                 \
  UNARY(byroot, "%e = arith.constant ROOT : T %y = arith.divf %x, %e : T", x / (double)1.41421354f, 0.500001) \
  UNARY(bytenth, "%e = arith.constant TENTH : T %y = arith.divf %x, %e : T", x / (double)-0.1f, 0.500001)

#define MATH_BINARY_FUNCTIONS(BINARY)                                                              \
  BINARY(pow, "%y = math.powf %x, %z : T", pow(x, z), 1.5)                                         \
  BINARY(atan2, "%y = math.atan2 %x, %z : T", atan2(x, z), 2.0)                                    \
  BINARY(copysign, "%y = math.copysign %x, %z : T", copysign(x, z), 0.0)                           \
  BINARY(maxnum, "%y = arith.maxnumf %x, %z : T", fmax(x, z), 0.0)                                 \
  BINARY(minnum, "%y = arith.minnumf %x, %z : T", fmin(x, z), 0.0)                                 \
  BINARY(maximum, "%y = arith.maximumf %x, %z : T", x != x || z != z ? x + z : fmax(x, z), 0.0)    \
  BINARY(clamp, "%y = math.clampf %x to [%z, %z] : T", x != x ? x : z, 0.0)                        \
  BINARY(fma, "%y = math.fma %x, %z, %z : T", x *z + z, 1e30)                                      \
  BINARY(fpowi, "%e = arith.fptosi %z : T to I %y = math.fpowi %x, %e : T, I", pow(x, z), 1.5)     \
  BINARY(ipowi,                                                                                    \
         "%a = arith.fptosi %x : T to I %e = arith.fptosi %z : T to I %b = math.ipowi %a, %e : I " \
         "%y = arith.sitofp %b : I to T",                                                          \
         (float)integerPower((int32_t)x, (int32_t)z), 0.0)

#define MATH_TO_INT_FUNCTIONS(TO_INT)                                                                             \
  TO_INT(toint, "%y = arith.fptosi %x : T to I", (int32_t)x, -0x1p31, 0x1p31)                                     \
  TO_INT(tounsigned, "%y = arith.fptoui %x : T to I", (int32_t)(uint32_t)x, 0, 0x1p32)                            \
  TO_INT(tobyte, "%b = arith.fptosi %x : T to B %y = arith.extsi %b : B to I", (int8_t)x, -128, 128)              \
  TO_INT(toubyte, "%b = arith.fptoui %x : T to B %y = arith.extui %b : B to I", (uint8_t)x, 0, 256)               \
  TO_INT(quantize, "%r = math.roundeven %x : T %y = arith.fptosi %r : T to I", (int32_t)rint(x), -0x1p31, 0x1p31) \
  TO_INT(isnan, "%b = math.isnan %x : T %y = arith.extui %b : C to I", isnan(x) != 0, -1e39, 1e39)                \
  TO_INT(isinf, "%b = math.isinf %x : T %y = arith.extui %b : C to I", isinf(x) != 0, -1e39, 1e39)                \
  TO_INT(isfinite, "%b = math.isfinite %x : T %y = arith.extui %b : C to I", isfinite(x) != 0, -1e39, 1e39)

// 0 is the scalar.
#define MATH_WIDTHS(WIDTH) WIDTH(0) WIDTH(3) WIDTH(4) WIDTH(5) WIDTH(8) WIDTH(16)
