// A golden module of runtime/test/golden, in place from flash. SET is the set's folder, MODULE the module.
#include <board.h>
#include <crosscut/embed.h>
#include <golden.h>

XCUT_EMBED(module, MODULE, ".modules");
XCUT_EMBED(input0, SET "/input0.bin", ".modules");
XCUT_EMBED(input1, SET "/input1.bin", ".modules");
XCUT_EMBED(output0, SET "/output0.bin", ".modules");
XCUT_EMBED(output1, SET "/output1.bin", ".modules");

static _Alignas(XCUT_ALIGNMENT) uint8_t memory[4096];

int main(void) {
#define FILE_OF(name)                 \
  {                                   \
    name, (size_t)(name##_end - name) \
  }
  const golden_set set = {FILE_OF(module), {FILE_OF(input0), FILE_OF(input1), FILE_OF(output0), FILE_OF(output1)}};
  xcut_block block;
  const xcut_allocator allocator = xcut_allocator_from_block(&block, memory, sizeof memory);
  const char *wrong = golden_check(&set, "local-sync", &allocator);
  board_print(wrong ? wrong : "right");
  board_print("\n");
  return wrong ? 1 : 0;
}
