// A file as a constant in flash, 64-byte aligned: BLOB(name, "path") declares and defines name[] and name_end[].
#ifndef BLOB_H
#define BLOB_H

#define BLOB(name, path)                           \
  extern const unsigned char name[], name##_end[]; \
  __asm__(                                         \
      ".pushsection .modules, \"a\"\n"             \
      ".balign 64\n"                               \
      ".global " #name ", " #name "_end\n" #name ":\n.incbin \"" path "\"\n" #name "_end:\n.popsection\n")

#endif  // BLOB_H
