// A platform made of the few hooks that a bare-metal machine offers. Also built where there is an operating system, so
// that running in place is tested there.
#include "crosscut/platform.h"

void xcut_platform_generic(xcut_platform *platform, const xcut_generic_hooks *hooks) {
  *platform = (xcut_platform){.page_bytes = 1};
  if (!hooks) return;
  platform->self = hooks->self;
  platform->clock_ns = hooks->clock_ns;
  platform->flush_code = hooks->flush_code;
}
