// Puts a file into a program as it is: a module into flash, say, that is then run where it lies.
#ifndef CROSSCUT_EMBED_H
#define CROSSCUT_EMBED_H

// Declares `const unsigned char name[], name_end[]` and defines them as the bytes of the file `path`, constant and
// aligned as a module and its weights want it (XCUT_ALIGNMENT). Once a program and name, outside of functions.
//
// section  of the object file, such as ".rodata.model"; the linker script says in which memory it lies.
// path     as the assembler finds it; build systems do not, so the source file has to be told that it depends on it
//          (in CMake by the property OBJECT_DEPENDS).
#define XCUT_EMBED(name, path, section)            \
  extern const unsigned char name[], name##_end[]; \
  __asm__(".pushsection " section                  \
          ", \"a\"\n"                              \
          ".balign 64\n"                           \
          ".global " #name ", " #name "_end\n" #name ":\n.incbin \"" path "\"\n" #name "_end:\n.popsection\n")

#endif  // CROSSCUT_EMBED_H
