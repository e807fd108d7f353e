# Runs one behaviour's expect.cmake in a fresh build folder. The words that it may use:
#   configure([-Dvariable=value...])   must succeed
#   configure_fails(<regex>)           must fail, saying so
#   build([target...])                 must succeed; sets `output`
#   run_tests()                        ctest must pass; sets `output`
#   check(<condition...>)              an if() that must hold
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${BINARY})
file(MAKE_DIRECTORY ${BINARY})
# The model that all behaviours compile, copied so that it can be touched.
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/model.mlir ${BINARY}/model.mlir)

function(run expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
  string(REGEX REPLACE "[ \n]+" " " text "${out}${err}")
  if(expected STREQUAL "succeeds" AND NOT status EQUAL 0)
    message(FATAL_ERROR "status ${status} of ${ARGN}:\n${out}${err}")
  elseif(NOT expected STREQUAL "succeeds" AND (status EQUAL 0 OR NOT text MATCHES "${expected}"))
    message(FATAL_ERROR "status ${status}, expected a failure that says '${expected}':\n${out}${err}")
  endif()
  set(output "${out}${err}" PARENT_SCOPE)
endfunction()

macro(configure)
  run(succeeds ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${BINARY}/build -DCrosscut_DIR=${CROSSCUT_BUILD}
    -DMODEL=${BINARY}/model.mlir ${ARGN})
endmacro()

function(configure_fails regex)
  run("${regex}" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${BINARY}/build -DCrosscut_DIR=${CROSSCUT_BUILD}
    -DMODEL=${BINARY}/model.mlir)
endfunction()

macro(build)
  set(targets ${ARGN})
  if(targets)
    list(PREPEND targets --target)
  endif()
  run(succeeds ${CMAKE_COMMAND} --build ${BINARY}/build ${targets})
endmacro()

macro(run_tests)
  run(succeeds ${CMAKE_CTEST_COMMAND} --test-dir ${BINARY}/build --no-tests=error --output-on-failure)
endmacro()

function(check)
  if(NOT (${ARGN}))
    message(FATAL_ERROR "does not hold: ${ARGN}\n${output}")
  endif()
endfunction()

include(${SOURCE}/expect.cmake)
