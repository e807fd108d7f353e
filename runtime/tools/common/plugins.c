// Plugins from shared libraries, for programs whose user names them on the command line.
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/tools.h"

static const xcut_plugin_table *open_table(const char *path, xcut_error *error) {
  char local[4096];
  if (!strchr(path, '/')) {  // else the system's folders would be searched
    if (snprintf(local, sizeof local, "./%s", path) >= (int)sizeof local)
      return tool_fail(error, "name too long"), NULL;
  }
  void *library = dlopen(strchr(path, '/') ? path : local, RTLD_NOW | RTLD_LOCAL);
  if (!library) return tool_fail(error, "--plugin: %s", dlerror()), NULL;
  const xcut_plugin_table *table = dlsym(library, "xcut_plugins");
  if (!table) return tool_fail(error, "--plugin: %s: exports no table 'xcut_plugins'", path), NULL;
  if (table->abi_version != XCUT_ABI_VERSION) {
    tool_fail(error, "--plugin: %s: compiled for ABI version %u, this program has %d", path, table->abi_version,
              XCUT_ABI_VERSION);
    return NULL;
  }
  bool whole = table->plugins != NULL;
  for (uint32_t i = 0; whole && i < table->plugin_count; ++i) {
    whole = table->plugins[i].name && table->plugins[i].function;
  }
  if (!whole) return tool_fail(error, "--plugin: %s: a plugin without name or function", path), NULL;
  return table;
}

bool tool_load_plugins(const char *const *paths, uint32_t count, xcut_plugin **plugins, uint32_t *plugin_count,
                       xcut_error *error) {
  *plugins = NULL;
  *plugin_count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const xcut_plugin_table *table = open_table(paths[i], error);
    if (!table) return false;
    size_t have = *plugin_count, all = have + table->plugin_count;
    xcut_plugin *grown = all <= UINT32_MAX ? realloc(*plugins, (all + 1) * sizeof *grown) : NULL;
    if (!grown) return tool_fail(error, "out of memory");
    memcpy(grown + have, table->plugins, table->plugin_count * sizeof *grown);
    *plugins = grown;
    *plugin_count = (uint32_t)all;
  }
  return true;
}
