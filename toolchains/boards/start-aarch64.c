// Start-up of AArch64 at EL1. Memory is mapped one to one, so that it is cached and takes unaligned accesses: the first
// gigabyte holds devices, the second memory (QEMU's virt).
#include "board.h"

__asm__(
    ".section .start, \"ax\"\n"
    ".global _start\n"
    "_start:\n"
    "  adrp x0, stack_top\n"
    "  add x0, x0, :lo12:stack_top\n"
    "  mov sp, x0\n"
    "  adr x0, exceptions\n"
    "  msr vbar_el1, x0\n"
    "  mov x0, #(3 << 20)\n"  // FPEN: floating point does not trap
    "  msr cpacr_el1, x0\n"
    "  mov x0, #0xff\n"  // attribute 0: memory, write-back; 1: device
    "  msr mair_el1, x0\n"
    "  ldr x0, =0x803520\n"  // 32-bit addresses, 4 KB granule, cached walks of TTBR0; none of TTBR1
    "  msr tcr_el1, x0\n"
    "  adr x0, mapping\n"
    "  msr ttbr0_el1, x0\n"
    "  isb\n"
    "  mrs x0, sctlr_el1\n"
    "  mov x1, #0x1005\n"  // MMU, data and instruction caches
    "  orr x0, x0, x1\n"
    "  msr sctlr_el1, x0\n"
    "  isb\n"
    "  b board_begin\n"
    ".balign 64\n"
    "mapping:\n"
    "  .quad 0x0000000000000405\n"  // block, device, accessed
    "  .quad 0x0000000040000701\n"  // block, memory, inner shareable, accessed
    "  .quad 0, 0\n"
    ".balign 2048\n"
    "exceptions:\n"
    ".rept 16\n"
    "  b board_fault\n"
    "  .balign 128\n"
    ".endr\n");
