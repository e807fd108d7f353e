// What the tests' models call, for programs of both formats.
#ifndef PLUGINS_H
#define PLUGINS_H

#include <crosscut/plugin.h>

int32_t plugin_acme_Affine(xcut_plugin_call *call);
int32_t plugin_acme_Compare(xcut_plugin_call *call);
int32_t plugin_acme_Describe(xcut_plugin_call *call);
int32_t plugin_acme_Fail(xcut_plugin_call *call);
int32_t plugin_acme_Rows(xcut_plugin_call *call);

#endif  // PLUGINS_H
