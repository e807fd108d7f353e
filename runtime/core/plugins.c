// Functions of the program's that modules call: found by name at load, called by number.
#include "core/internal.h"

static const xcut_plugin *find(const xcut_plugin *plugins, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; ++i) {
    if (plugins[i].function && plugins[i].name && xcut_same_text(plugins[i].name, name)) return &plugins[i];
  }
  return NULL;
}

static xcut_status refuse(const xcut_module *module, const xcut_plugin *plugins, uint32_t count, xcut_error *error) {
  char names[160] = "";
  xcut_text text = xcut_text_begin(names, sizeof names);
  const char *name;
  for (uint32_t i = 0; XCUT_WITH_MESSAGES && (name = xcut_module_plugin(module, i)) != NULL; ++i) {
    if (!find(plugins, count, name)) xcut_text_add(&text, "%s'%s'", text.used ? ", " : "", name);
  }
  return xcut_fail(error, XCUT_E_PLUGIN, "module calls plugins that this program does not offer: %s", names);
}

xcut_status xcut_plugins_bind(xcut_module *module, const xcut_plugin *plugins, uint32_t count, xcut_error *error) {
  uint32_t needed = 0;
  const char *name;
  while ((name = xcut_module_plugin(module, needed)) != NULL) {
    if (!plugins || !find(plugins, count, name)) return refuse(module, plugins, plugins ? count : 0, error);
    ++needed;
  }
  if (needed == 0) return XCUT_OK;
  // The table holds a name for each, so that the product fits.
  module->plugins =
      module->allocator.allocate(module->allocator.self, needed * sizeof(xcut_plugin), _Alignof(xcut_plugin));
  if (!module->plugins) return xcut_fail(error, XCUT_E_MEMORY, "no memory for %u plugins", needed);
  for (uint32_t i = 0; i < needed; ++i) module->plugins[i] = *find(plugins, count, xcut_module_plugin(module, i));
  return XCUT_OK;
}

int32_t xcut_plugins_call(xcut_env *env, uint32_t plugin, xcut_plugin_call *call) {
  xcut_session *session = ((xcut_run *)env)->session;
  session->plugin_node = call->node;
  if (!xcut_module_plugin(session->module, plugin)) {
    session->plugin_message = "the module has no such plugin";
    return -1;
  }
  const xcut_plugin *found = &session->module->plugins[plugin];
  call->user = found->user;
  call->message = NULL;
  int32_t result = found->function(call);
  session->plugin_message = call->message;
  return result;
}

xcut_status xcut_plugins_explain(const xcut_session *session, xcut_error *error) {
  const char *name = xcut_module_plugin(session->module, session->call.error_tensor);
  const char *node = session->plugin_node, *message = session->plugin_message;
  return xcut_fail(error, XCUT_E_PLUGIN, "plugin '%s', node '%s': %s (status %lld)", name ? name : "?",
                   node ? node : "?", message ? message : "failed", (long long)session->call.error_actual);
}
