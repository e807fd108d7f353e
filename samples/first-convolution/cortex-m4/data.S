// The module and the tensors as they lie in flash.
#define FILE(name, path)          \
  .section .rodata.name, "a";     \
  .balign 64;                     \
  .global name, name##_end;       \
  name:                           \
  .incbin path;                   \
  name##_end:

FILE(module, MODULE)
FILE(input, INPUT)
FILE(expected, EXPECTED)
