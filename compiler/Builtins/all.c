// All builtins as one translation unit: one bitcode file an architecture.
#include "integer.c"
#include "memory.c"
#include "softfloat.c"
