// A host library for QEMU (LD_PRELOAD) that makes emulated fused multiply-adds fast on x86-64.
//
// QEMU computes them with the C library's fmaf(), which is VEX-encoded, between instructions of its own that are not.
// After QEMU has used 256-bit registers, as it does to move RISC-V vectors, their upper halves stay in use, and each
// change between the two encodings then costs the processor some hundred cycles. Clearing the halves makes the same
// additions, bit for bit, fifteen times faster; glibc's fmaf() does not clear them, since nothing is gained for others.
#include <immintrin.h>

__attribute__((target("avx,fma"))) float fmaf(float x, float y, float z) {
  _mm256_zeroupper();
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(x), _mm_set_ss(y), _mm_set_ss(z)));
}

__attribute__((target("avx,fma"))) double fma(double x, double y, double z) {
  _mm256_zeroupper();
  return _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(x), _mm_set_sd(y), _mm_set_sd(z)));
}
