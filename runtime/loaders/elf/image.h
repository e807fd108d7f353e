// The ELF side of a module file: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
#ifndef CROSSCUT_LOADERS_ELF_IMAGE_H
#define CROSSCUT_LOADERS_ELF_IMAGE_H

#include "core/internal.h"

typedef struct xcut_elf_image {
  uint32_t arch;         // XCUT_ARCH_*, of the ELF header
  size_t segment_bytes;  // of the one loaded segment, which begins at the file's first byte
  size_t table_at;       // of xcut_module_table, from the file's first byte
} xcut_elf_image;

// Checks `image` whole, without executing or changing anything: ELF headers, checksum, module table, weights' place.
// On any machine of the image's byte order.
xcut_status xcut_elf_check(const uint8_t *image, size_t bytes, xcut_elf_image *out, xcut_error *error);

#endif  // CROSSCUT_LOADERS_ELF_IMAGE_H
