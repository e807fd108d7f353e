// Start-up of RISC-V in machine mode: floating-point and vector units on, where there are any.
#include "board.h"

__asm__(
    ".section .start, \"ax\"\n"
    ".option arch, +zicsr\n"
    ".global _start\n"
    "_start:\n"
    "  la sp, stack_top\n"
    "  la t0, trap\n"
    "  csrw mtvec, t0\n"
    "  li t0, 0x2200\n"  // FS and VS: initial
    "  csrs mstatus, t0\n"
    "  call board_begin\n"
    ".balign 4\n"
    "trap:\n"
    "  call board_fault\n");
