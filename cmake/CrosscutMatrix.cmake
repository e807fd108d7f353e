# benchmarks/matrix.json for CMake: the platforms to build, and a target for each module of the matrix.
#
#   cmake --build build/host --target matrix                              # every module of the selection `full`
#   cmake --build build/host --target matrix-aarch64-linux                # a platform's
#   cmake --build build/host --target matrix-mobilenetv2                  # a model's
#   cmake --build build/host --target mobilenetv2.default.aarch64-linux   # one, the file of that name .xcm in matrix/
#
# None is part of `all`. Model files are made by the Python package, as for scripts/nightly, which measures the same
# modules under the same options (scripts/tests/test_cmake_matrix.py compares them).
include_guard()

set(CROSSCUT_MATRIX_FILE ${CMAKE_SOURCE_DIR}/benchmarks/matrix.json CACHE FILEPATH "Models × platforms × settings")
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CROSSCUT_MATRIX_FILE})
file(READ ${CROSSCUT_MATRIX_FILE} CROSSCUT_MATRIX)

# crosscut_json_list(<output> <json> <member>...): an array's strings, or the names of its objects; empty when absent.
function(crosscut_json_list output json)
  set(found)
  string(JSON length ERROR_VARIABLE absent LENGTH "${json}" ${ARGN})
  if(absent OR length EQUAL 0)
    set(${output} "" PARENT_SCOPE)
    return()
  endif()
  math(EXPR last "${length} - 1")
  foreach(i RANGE ${last})
    string(JSON type TYPE "${json}" ${ARGN} ${i})
    if(type STREQUAL "OBJECT")
      string(JSON value GET "${json}" ${ARGN} ${i} name)
    else()
      string(JSON value GET "${json}" ${ARGN} ${i})
    endif()
    list(APPEND found "${value}")
  endforeach()
  set(${output} "${found}" PARENT_SCOPE)
endfunction()

# crosscut_json_get(<output> <default> <json> <member>...)
function(crosscut_json_get output default json)
  string(JSON value ERROR_VARIABLE absent GET "${json}" ${ARGN})
  if(absent)
    set(value "${default}")
  endif()
  set(${output} "${value}" PARENT_SCOPE)
endfunction()

crosscut_json_list(CROSSCUT_MATRIX_PLATFORMS "${CROSSCUT_MATRIX}" platforms)
crosscut_json_list(CROSSCUT_MATRIX_MODELS "${CROSSCUT_MATRIX}" models)
crosscut_json_list(CROSSCUT_MATRIX_SETTINGS "${CROSSCUT_MATRIX}" settings)

# Platforms with programs of their own that are emulated; boards have none.
set(CROSSCUT_MATRIX_CROSS ${CROSSCUT_MATRIX_PLATFORMS})
list(FILTER CROSSCUT_MATRIX_CROSS EXCLUDE REGEX "^${CMAKE_HOST_SYSTEM_PROCESSOR}-linux$")
list(LENGTH CROSSCUT_MATRIX_PLATFORMS count)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  crosscut_json_get(board OFF "${CROSSCUT_MATRIX}" platforms ${i} board)
  if(board)
    list(GET CROSSCUT_MATRIX_PLATFORMS ${i} name)
    list(REMOVE_ITEM CROSSCUT_MATRIX_CROSS ${name})
  endif()
endforeach()

# Platforms that are built: those with a toolchain file. The others run another one's programs.
set(CROSSCUT_MATRIX_BUILDS ${CROSSCUT_MATRIX_PLATFORMS})
foreach(name IN LISTS CROSSCUT_MATRIX_BUILDS)
  if(NOT EXISTS ${CMAKE_SOURCE_DIR}/toolchains/${name}.cmake)
    list(REMOVE_ITEM CROSSCUT_MATRIX_BUILDS ${name})
    list(REMOVE_ITEM CROSSCUT_MATRIX_CROSS ${name})
  endif()
endforeach()
