// Writes the finished test module to a file, for tests of the programs: make-module FIXTURE OUT.
#include <stdio.h>

#include "test/image.h"

int main(int argc, char **argv) {
  if (argc != 3) return 1;
  image i = image_load(argv[1]);
  FILE *out = fopen(argv[2], "wb");
  bool ok = out && fwrite(i.data, 1, i.bytes, out) == i.bytes;
  ok = out && fclose(out) == 0 && ok;
  image_free(&i);
  return ok ? 0 : 1;
}
