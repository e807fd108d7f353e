// What a build of the runtime holds, as CMake's options say (../README.md). What is left out is not in the image.
#ifndef CROSSCUT_CORE_CONFIG_H
#define CROSSCUT_CORE_CONFIG_H

#ifndef XCUT_WITH_THREADS
#define XCUT_WITH_THREADS 1  // local-task, and sessions that several threads may ask for at once
#endif
#ifndef XCUT_WITH_FILES
#define XCUT_WITH_FILES 1  // xcut_module_load_file()
#endif
#ifndef XCUT_WITH_MESSAGES
#define XCUT_WITH_MESSAGES 1  // the text in xcut_error
#endif
#ifndef XCUT_WITH_FOREIGN
#define XCUT_WITH_FOREIGN 1  // describing modules of other machines
#endif
#ifndef XCUT_WITH_PLUGINS
#define XCUT_WITH_PLUGINS 1  // modules that call functions of the program's
#endif
#ifndef XCUT_GENERIC
#define XCUT_GENERIC 0  // the hooks of crosscut/generic.h
#endif

#endif  // CROSSCUT_CORE_CONFIG_H
