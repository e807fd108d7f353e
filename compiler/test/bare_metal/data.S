// The module and its test data, in flash as they are in their files.
  .macro blob name, file
  .global \name\()_start, \name\()_end
  .balign 64
\name\()_start:
  .incbin "\file"
\name\()_end:
  .endm

  .section .blobs, "a", %progbits
  blob module, "module.xcm"
  blob input, "input.bin"
  blob expected, "expected.bin"
  blob bound, "bound.bin"
