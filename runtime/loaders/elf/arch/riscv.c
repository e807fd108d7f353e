// RISC-V: single-letter extensions from Linux's AT_HWCAP, the others from riscv_hwprobe (Linux 6.4 and later), plus
// what the runtime itself was compiled for. The vector length comes from the CSR vlenb, which exists only with V.
// Linux: Documentation/arch/riscv/hwprobe.rst.
#include "loaders/elf/arch/arch.h"

static const char *const kNames[] = {
    [XCUT_RISCV_M] = "m",     [XCUT_RISCV_A] = "a",     [XCUT_RISCV_F] = "f",     [XCUT_RISCV_D] = "d",
    [XCUT_RISCV_C] = "c",     [XCUT_RISCV_V] = "v",     [XCUT_RISCV_ZFH] = "zfh", [XCUT_RISCV_ZVFH] = "zvfh",
    [XCUT_RISCV_ZBA] = "zba", [XCUT_RISCV_ZBB] = "zbb", [XCUT_RISCV_ZBS] = "zbs",
};

const char *xcut_riscv_feature(uint32_t bit) { return bit < XCUT_COUNT_OF(kNames) ? kNames[bit] : NULL; }

#if defined(__riscv)

static uint64_t compiled_in(void) {
  uint64_t f = 0;
#if defined(__riscv_mul)
  f |= XCUT_BIT(XCUT_RISCV_M);
#endif
#if defined(__riscv_atomic)
  f |= XCUT_BIT(XCUT_RISCV_A);
#endif
#if defined(__riscv_flen) && __riscv_flen >= 32
  f |= XCUT_BIT(XCUT_RISCV_F);
#endif
#if defined(__riscv_flen) && __riscv_flen >= 64
  f |= XCUT_BIT(XCUT_RISCV_D);
#endif
#if defined(__riscv_compressed)
  f |= XCUT_BIT(XCUT_RISCV_C);
#endif
#if defined(__riscv_v)
  f |= XCUT_BIT(XCUT_RISCV_V);
#endif
#if defined(__riscv_zfh)
  f |= XCUT_BIT(XCUT_RISCV_ZFH);
#endif
#if defined(__riscv_zvfh)
  f |= XCUT_BIT(XCUT_RISCV_ZVFH);
#endif
#if defined(__riscv_zba)
  f |= XCUT_BIT(XCUT_RISCV_ZBA);
#endif
#if defined(__riscv_zbb)
  f |= XCUT_BIT(XCUT_RISCV_ZBB);
#endif
#if defined(__riscv_zbs)
  f |= XCUT_BIT(XCUT_RISCV_ZBS);
#endif
  return f;
}

void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu) {
  static const struct {
    uint8_t feature, probe, bit;
  } table[] = {
      {XCUT_RISCV_M, 0, 'm' - 'a'}, {XCUT_RISCV_A, 0, 'a' - 'a'}, {XCUT_RISCV_F, 0, 'f' - 'a'},
      {XCUT_RISCV_D, 0, 'd' - 'a'}, {XCUT_RISCV_C, 0, 'c' - 'a'}, {XCUT_RISCV_V, 0, 'v' - 'a'},
      {XCUT_RISCV_ZBA, 1, 3},       {XCUT_RISCV_ZBB, 1, 4},       {XCUT_RISCV_ZBS, 1, 5},
      {XCUT_RISCV_ZFH, 1, 27},      {XCUT_RISCV_ZVFH, 1, 30},
  };
  cpu->features = compiled_in();
  uint64_t words[2] = {xcut_capability(platform, XCUT_CAPABILITY_HWCAP),
                       xcut_capability(platform, XCUT_CAPABILITY_RISCV_HWPROBE)};
  for (unsigned i = 0; i < XCUT_COUNT_OF(table); ++i) {
    if (words[table[i].probe] >> table[i].bit & 1) cpu->features |= XCUT_BIT(table[i].feature);
  }
  if (cpu->features & XCUT_BIT(XCUT_RISCV_V)) {
    unsigned long bytes;
    // vlenb. Compilers for CPUs without F leave the instruction out unless it is asked for.
    __asm__ volatile(".option push\n .option arch, +zicsr\n csrr %0, 0xc22\n .option pop" : "=r"(bytes));
    cpu->vlen_bits = (uint32_t)bytes * 8;
  }
}

void xcut_arch_flush_code(void *code, size_t bytes) {
#if defined(__linux__)
  __builtin___clear_cache((char *)code, (char *)code + bytes);
#else
  (void)code, (void)bytes;
  __asm__ volatile(".option push\n .option arch, +zifencei\n fence.i\n .option pop" ::: "memory");
#endif
}

#if defined(__riscv_flen)
// fcsr holds the rounding mode and the sticky flags.
uint64_t xcut_float_enter(void) {
  unsigned long saved;
  __asm__ volatile("csrrw %0, fcsr, zero" : "=r"(saved));
  return saved;
}

void xcut_float_leave(uint64_t saved) { __asm__ volatile("csrw fcsr, %0" ::"r"((unsigned long)saved)); }
#else
uint64_t xcut_float_enter(void) { return 0; }
void xcut_float_leave(uint64_t saved) { (void)saved; }
#endif

void xcut_cpu_relax(void) { __asm__ volatile("" ::: "memory"); }
#endif
