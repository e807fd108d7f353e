// A loaded test module with a device and a session of one function, for tests of calls.
#ifndef CROSSCUT_TEST_CALL_H
#define CROSSCUT_TEST_CALL_H

#include "test/image.h"
#include "test/test.h"

static image fixture;
static xcut_module *module;

static inline void open_fixture(int argc, char **argv) {
  REQUIRE(argc == 3);
  fixture = image_load(argv[1]);
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  xcut_error error;
  REQUIRE(xcut_module_load(fixture.data, fixture.bytes, &options, &module, &error) == XCUT_OK);
}

static inline void close_fixture(void) {
  xcut_module_unload(module);
  image_free(&fixture);
}

static inline xcut_device *open_device(const char *name, uint32_t threads) {
  xcut_device_options options = {.allocator = xcut_allocator_system(), .threads = threads};
  xcut_device *device;
  xcut_error error;
  REQUIRE(xcut_device_create(name, &options, &device, &error) == XCUT_OK);
  return device;
}

static inline xcut_session *open_session(const char *function_name, xcut_device *device, xcut_allocator allocator) {
  xcut_function function;
  xcut_session *session;
  xcut_error error;
  REQUIRE(xcut_module_find_function(module, function_name, &function, &error) == XCUT_OK);
  REQUIRE(xcut_session_create(&function, device, &allocator, &session, &error) == XCUT_OK);
  return session;
}

static inline xcut_value vector_of(void *data, uint8_t type, int64_t count) {
  return (xcut_value){data, (size_t)count * xcut_type_bytes(type), type, 1, {count}};
}

#endif  // CROSSCUT_TEST_CALL_H
