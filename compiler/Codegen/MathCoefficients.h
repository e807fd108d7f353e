// Polynomials of the math expansion. Written by compiler/test/math/coefficients.py, which says how they were found.
// clang-format off
#pragma once

namespace crosscut::coefficients {

// ln 2; products of the first part with integers up to 2^11 are exact.
constexpr float kLn2[] = {0.693115234f, 3.19461833e-05f};

// log10 2, likewise.
constexpr float kLog10Of2[] = {0.301025391f, 4.60503907e-06f};

// log2 e.
constexpr float kLog2E[] = {1.44269502f, 1.92596303e-08f};

// 2 log2 e.
constexpr float kTwoLog2E[] = {2.88539004f, 3.85192607e-08f};

// log10 e.
constexpr float kLog10E[] = {0.434294492f, -1.010305e-08f};

// pi / 2.
constexpr float kHalfPi[] = {1.57079637f, -4.37113883e-08f};

// pi / 2; products of all but the last with integers of 13 significant bits are exact.
constexpr float kHalfPiShort[] = {1.5703125f, 0.000483751297f, 7.54953362e-08f, 2.56328292e-12f, 6.12323426e-17f};

// 1 / 3.
constexpr float kThird[] = {0.333333343f, -9.93410776e-09f};

// (exp(r) - 1 - r) / r^2; error relative to exp(r) - 1.
// On [-0.3467, 0.3467]; error 2^-31.1.
constexpr float kExpm1[] = {0.5f, 0.166666657f, 0.0416664928f, 0.00833354611f, 0.00139323273f, 0.000197616333f};

// The same; error relative to exp(r).
// On [-0.3467, 0.3467]; error 2^-28.3.
constexpr float kExp[] = {0.49999994f, 0.166665211f, 0.0416682623f, 0.00836867467f, 0.00138210552f};

// (2^r - 1) / r; error absolute.
// On [-0.5001, 0.5001]; error 2^-28.3.
constexpr float kExp2[] = {0.693147182f, 0.240226507f, 0.0555035956f, 0.00961806253f, 0.0013390989f, 0.00015462884f};

// (log(1 + f) - f + f^2 / 2) / f^3; error relative to log(1 + f).
// On [-0.292893, 0.414214]; error 2^-30.3.
constexpr float kLog1p[] = {0.333333135f, -0.250000089f, 0.200020716f, -0.166679889f, 0.142203584f,
    -0.124062337f, 0.118835486f, -0.116700977f, 0.0674926788f};

// (atanh(s) - s - s^3 / 3) / s^5 in powers of s^2; error relative to atanh(s).
// On [0.01, 0.1717]; error 2^-36.8.
constexpr float kAtanh[] = {0.200000763f, 0.142735422f, 0.117099486f};

// (sin(r) - r) / r^3 in powers of r^2; error relative to sin(r).
// On [0.001, 0.7856]; error 2^-27.9.
constexpr float kSin[] = {-0.166666552f, 0.00833218917f, -0.000195182758f};

// (cos(r) - 1 + r^2 / 2) / r^4 in powers of r^2; error relative to cos(r).
// On [0.01, 0.7856]; error 2^-33.0.
constexpr float kCos[] = {0.0416666456f, -0.00138873095f, 2.44323273e-05f};

// (asin(x) - x) / x^3 in powers of x^2; error relative to asin(x).
// On [0.001, 0.5]; error 2^-27.6.
constexpr float kAsin[] = {0.166667521f, 0.0749530941f, 0.0454691499f, 0.0241847783f, 0.0421583056f};

// (atan(t) - t) / t^3 in powers of t^2; error relative to atan(t).
// On [0.001, 1]; error 2^-25.8.
constexpr float kAtan[] = {-0.333331525f, 0.199937671f, -0.142110035f, 0.106657855f,
    -0.0755172372f, 0.0432058573f, -0.016364133f, 0.00291972281f};

// (tanh(x) - x) / x^3 in powers of x^2; error relative to tanh(x).
// On [0.001, 0.65]; error 2^-27.1.
constexpr float kTanh[] = {-0.333332598f, 0.133308291f, -0.0536879152f, 0.0204690788f, -0.00551480893f};

// erf(x) / x - 1 in powers of x^2; error relative to erf(x).
// On [0.001, 1.2]; error 2^-26.1.
constexpr float kErfSmall[] = {0.128379151f, -0.376125365f, 0.112826802f, -0.0268200599f,
    0.00513115805f, -0.000756159774f, 6.52619638e-05f};

// erfc(x)^(1/8) in powers of x - 2.25; error of erfc(x), absolute.
// On [1.2, 3.93]; error 2^-29.4.
constexpr float kErfTail[] = {0.442226738f, -0.269919157f, 0.0306985099f, 0.0140480427f,
    -0.00345596578f, -0.000385918567f, 0.000190290259f, 8.39875429e-06f};

// erfc(a) exp(a^2) (a + 2) in powers of (a - 2) / (a + 2); error relative.
// On [0.6, 10.1]; error 2^-25.8.
constexpr float kErfcScaled[] = {1.02158272f, -0.687160671f, 0.279470176f, -0.0364417247f, -0.021477541f,
    0.00646136375f, 0.0029022079f, -0.000712406065f, -0.000290053373f, -0.000203307325f};

// cbrt(m), the start of two steps; error relative.
// On [1, 2]; error 2^-10.6.
constexpr float kCbrtGuess[] = {0.621513665f, 0.439441741f, -0.0603193603f};

}  // namespace crosscut::coefficients
