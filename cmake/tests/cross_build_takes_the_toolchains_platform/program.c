// Loads the module that is its argument: 0 when the runtime takes it.
#include <crosscut/runtime.h>
#include <stdio.h>

int main(int argc, char **argv) {
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  xcut_module *module = NULL;
  xcut_error error = {""};
  if (argc != 2 || xcut_module_load_file(argv[1], &options, &module, &error) != XCUT_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  xcut_module_unload(module);
  return 0;
}
