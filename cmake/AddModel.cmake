# add_model(), add_model_test(), add_model_benchmark(): models as targets of a build.
#
# Included by the installed package (CrosscutConfig.cmake). Programs are the imported targets crosscut::crosscut-compile,
# crosscut::crosscut-run and crosscut::crosscut-bench.
include_guard(GLOBAL)

#[[.rst:
.. command:: add_model

  add_model(<name> SOURCE <file>
            [TARGET <triple or platform> | PLATFORMS <platform>...]
            [CPU <name>] [FEATURES <+f|-f>...] [FORMAT elf|static] [ABI <name>] [WEIGHTS_SECTION <section>]
            [INPUT_SHAPES <input=1x3x224x224>...] [FAVOR latency|min-peak-memory] [MAX_ARENA <size>] [OPT 0|1|2|3]
            [WINOGRAD auto|off|always] [DEBUG_SYMBOLS] [DEPENDS <file>...])

  Compiles the ONNX or MLIR file SOURCE ahead of time and creates the target <name>, part of `all`.

  ``TARGET``     what to compile for; default: this machine, in a cross build the platform of the toolchain file.
  ``PLATFORMS``  several at once: one target <name>-<platform> each, and <name> for all of them.
  ``CPU``        a CPU of LLVM's, ``host`` or ``generic``; default: this machine's, or the platform's.
  ``FORMAT``     ``elf``: a module that the runtime loads (the default). ``static``: a library: programs link the target
                 <name>, include "<name>.h" and call <name>_run(); nothing is loaded, and no runtime is needed. Where
                 the model leaves sizes open, <name>_plan() says before how much working memory a call takes.
                 Letters that a C identifier lacks become '_' in functions.
  ``ABI``        with static: how the program passes floats, as the compilers' -mfloat-abi or -mabi have it; default: as
                 the target's triple says.
  ``WEIGHTS_SECTION``  with static: the section of the weights; default: .rodata.<name>_weights.
  ``DEPENDS``    further files that the model reads (external data), as exact dependencies.

  Other arguments are the options of crosscut-compile of the same names.

  Each module is built by one command that depends on the model, DEPENDS and the compiler, and on nothing else.
  Properties of each target that has a module: ``CROSSCUT_MODULE`` (absolute path, of the archive for static),
  ``CROSSCUT_FORMAT``, ``CROSSCUT_TARGET`` (as given, empty for this machine). <name> with PLATFORMS has
  ``CROSSCUT_MODELS``, the targets behind it.

  Errors at configure time: unknown or missing arguments, a SOURCE that is not there, an unknown target or CPU.
#]]
function(add_model name)
  set(options DEBUG_SYMBOLS)
  set(single SOURCE TARGET CPU FORMAT ABI WEIGHTS_SECTION FAVOR MAX_ARENA OPT WINOGRAD)
  set(multiple PLATFORMS FEATURES INPUT_SHAPES DEPENDS)
  cmake_parse_arguments(PARSE_ARGV 1 arg "${options}" "${single}" "${multiple}")
  set(where "add_model(${name})")
  _crosscut_check_arguments("${where}" "${arg_UNPARSED_ARGUMENTS}" "${arg_KEYWORDS_MISSING_VALUES}")
  if(NOT arg_SOURCE)
    message(FATAL_ERROR "${where}: SOURCE is missing")
  endif()
  if(DEFINED arg_TARGET AND DEFINED arg_PLATFORMS)
    message(FATAL_ERROR "${where}: TARGET and PLATFORMS exclude each other")
  endif()
  _crosscut_one_of("${where}" FORMAT "${arg_FORMAT}" elf static)
  foreach(option ABI WEIGHTS_SECTION)
    if(DEFINED arg_${option} AND NOT arg_FORMAT STREQUAL "static")
      message(FATAL_ERROR "${where}: ${option} is for FORMAT static")
    endif()
  endforeach()
  _crosscut_one_of("${where}" FAVOR "${arg_FAVOR}" latency min-peak-memory)
  _crosscut_one_of("${where}" OPT "${arg_OPT}" 0 1 2 3)
  _crosscut_one_of("${where}" WINOGRAD "${arg_WINOGRAD}" auto off always)
  if(NOT TARGET crosscut::crosscut-compile)
    message(FATAL_ERROR "${where}: this Crosscut was built without its compiler")
  endif()
  cmake_path(ABSOLUTE_PATH arg_SOURCE BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  if(NOT EXISTS ${arg_SOURCE})
    get_source_file_property(generated ${arg_SOURCE} GENERATED)
    if(NOT generated)
      message(FATAL_ERROR "${where}: no such file: ${arg_SOURCE}")
    endif()
  endif()

  set(flags)
  if(DEFINED arg_FEATURES)
    list(JOIN arg_FEATURES "," features)
    list(APPEND flags --features=${features})
  endif()
  foreach(shape IN LISTS arg_INPUT_SHAPES)
    list(APPEND flags --input-shape=${shape})
  endforeach()
  foreach(option FORMAT CPU ABI WEIGHTS_SECTION FAVOR MAX_ARENA OPT WINOGRAD)
    if(DEFINED arg_${option})
      string(TOLOWER ${option} flag)
      string(REPLACE "_" "-" flag ${flag})
      list(APPEND flags --${flag}=${arg_${option}})
    endif()
  endforeach()
  if(arg_DEBUG_SYMBOLS)
    list(APPEND flags --debug-symbols)
  endif()

  if(DEFINED arg_PLATFORMS)
    add_custom_target(${name} ALL)
    foreach(platform IN LISTS arg_PLATFORMS)
      _crosscut_add_module("${where}" ${name}-${platform} ${platform} "${arg_CPU}")
      add_dependencies(${name} ${name}-${platform})
      set_property(TARGET ${name} APPEND PROPERTY CROSSCUT_MODELS ${name}-${platform})
    endforeach()
  else()
    if(NOT DEFINED arg_TARGET AND CMAKE_CROSSCOMPILING)
      if(CROSSCUT_TARGET)
        set(arg_TARGET ${CROSSCUT_TARGET})
      elseif(CROSSCUT_PLATFORM_NAME)
        set(arg_TARGET ${CROSSCUT_PLATFORM_NAME})
      else()
        message(FATAL_ERROR "${where}: this is a cross build: TARGET is missing (a triple, or a platform's name)")
      endif()
    endif()
    _crosscut_add_module("${where}" ${name} "${arg_TARGET}" "${arg_CPU}")
  endif()
endfunction()

#[[.rst:
.. command:: add_model_test

  add_model_test(<name> MODEL <target> [FUNCTION <name>] [DEVICE <name>] [THREADS <n>]
                 [INPUTS <value>...] [EXPECTED <value>...] [ATOL <x>] [RTOL <x>] [PLUGINS <target>...]
                 [RUNNER <command>...])

  Adds a CTest test that runs the model of <target> (of add_model) on the machine it was compiled for, and compares its
  outputs with EXPECTED. Values are written as for crosscut-run: ``1x3x2x2xf32=0``, ``@file.npy``, ``name=@file.npy``;
  files are relative to the current source folder. A model with several platforms gets one test <name>-<platform> each.

  ``PLUGINS`` shared libraries (``add_library(<target> MODULE ...)``) with functions that the model calls; see
              crosscut/plugin.h.
  ``RUNNER``  starts programs for the model's platform in place of the platform's own emulator, e.g. ``ssh board``.

  Errors at configure time: unknown or missing arguments, a MODEL that is no model, PLUGINS that are no targets, a platform
  without programs.
#]]
function(add_model_test name)
  _crosscut_parse_run(add_model_test ${name} "" ${ARGN})
  foreach(model IN LISTS models)
    _crosscut_run_command("${where}" crosscut-run ${model} "${arg_RUNNER}" command)
    add_test(NAME ${name}${suffix_${model}} COMMAND ${command} ${run_flags})
  endforeach()
endfunction()

#[[.rst:
.. command:: add_model_benchmark

  add_model_benchmark(<name> MODEL <target> [ITERATIONS <n>] [FUNCTION <name>] [DEVICE <name>] [THREADS <n>]
                      [INPUTS <value>...] [EXPECTED <value>...] [ATOL <x>] [RTOL <x>] [PLUGINS <target>...]
                      [RUNNER <command>...])

  Creates the target <name>, not part of `all`, that checks the model's outputs, times it with crosscut-bench and writes
  Google Benchmark's JSON to <name>.json in the current binary folder. Arguments as for add_model_test(); a model with
  several platforms gets one target <name>-<platform> each, and <name> for all of them.
#]]
function(add_model_benchmark name)
  _crosscut_parse_run(add_model_benchmark ${name} ITERATIONS ${ARGN})
  if(DEFINED arg_ITERATIONS)
    list(APPEND run_flags --iterations=${arg_ITERATIONS})
  endif()
  foreach(model IN LISTS models)
    set(target ${name}${suffix_${model}})
    _crosscut_run_command("${where}" crosscut-bench ${model} "${arg_RUNNER}" command)
    add_custom_target(${target}
      COMMAND ${command} ${run_flags} --benchmark_out=${CMAKE_CURRENT_BINARY_DIR}/${target}.json
        --benchmark_out_format=json
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} USES_TERMINAL VERBATIM COMMENT "Timing ${model}")
    add_dependencies(${target} ${model} ${arg_PLUGINS})
    if(NOT target STREQUAL name)
      if(NOT TARGET ${name})
        add_custom_target(${name})
      endif()
      add_dependencies(${name} ${target})
    endif()
  endforeach()
endfunction()

# ---- Helpers ---------------------------------------------------------------------------------------------------------

function(_crosscut_check_arguments where unparsed without_value)
  if(unparsed)
    message(FATAL_ERROR "${where}: unknown arguments: ${unparsed}")
  endif()
  if(without_value)
    message(FATAL_ERROR "${where}: arguments without value: ${without_value}")
  endif()
endfunction()

# _crosscut_one_of(<where> <keyword> <value> <allowed>...): an empty value is fine.
function(_crosscut_one_of where keyword value)
  if(NOT value STREQUAL "" AND NOT value IN_LIST ARGN)
    list(JOIN ARGN ", " allowed)
    message(FATAL_ERROR "${where}: unknown ${keyword} '${value}', known: ${allowed}")
  endif()
endfunction()

# The location of a program at configure time; empty while this very build has yet to make it.
function(_crosscut_program target output)
  get_target_property(location ${target} IMPORTED_LOCATION)
  if(NOT location)
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    foreach(configuration IN LISTS configurations)
      get_target_property(location ${target} IMPORTED_LOCATION_${configuration})
    endforeach()
  endif()
  if(NOT location)
    set(location "")
  endif()
  set(${output} "${location}" PARENT_SCOPE)
endfunction()

# Asks the compiler whether it knows target and CPU. The answer is asked for once a configuration.
function(_crosscut_check_target where target cpu)
  _crosscut_program(crosscut::crosscut-compile compiler)
  if(NOT compiler)
    return()
  endif()
  get_property(cpus GLOBAL PROPERTY _CROSSCUT_CPUS_${target})
  if(NOT cpus)
    set(flags --list-cpus)
    if(target)
      list(APPEND flags --target=${target})
    endif()
    execute_process(COMMAND ${compiler} ${flags} RESULT_VARIABLE status OUTPUT_VARIABLE cpus ERROR_VARIABLE errors)
    if(NOT status EQUAL 0)
      string(STRIP "${errors}" errors)
      message(FATAL_ERROR "${where}: unknown target '${target}': ${errors}")
    endif()
    string(REGEX MATCHALL "(^|\n) *[^ \n]+" cpus "${cpus}")
    list(TRANSFORM cpus STRIP)
    list(APPEND cpus host generic)
    set_property(GLOBAL PROPERTY _CROSSCUT_CPUS_${target} "${cpus}")
  endif()
  if(cpu AND NOT cpu IN_LIST cpus)
    message(FATAL_ERROR "${where}: unknown CPU '${cpu}' of target '${target}'")
  endif()
endfunction()

# Creates one target for one module; reads `name`, `flags` and `arg_*` of add_model().
function(_crosscut_add_module where target compile_target cpu)
  _crosscut_check_target("${where}" "${compile_target}" "${cpu}")
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.static)
  set(outputs ${CMAKE_CURRENT_BINARY_DIR}/${target}.xcm)
  if(arg_FORMAT STREQUAL "static")
    set(outputs ${folder}/${name}.a ${folder}/${name}.h)
    file(MAKE_DIRECTORY ${folder})
    list(PREPEND flags --name=${name})
  endif()
  list(GET outputs 0 module)
  if(compile_target)
    list(PREPEND flags --target=${compile_target})
  endif()
  add_custom_command(OUTPUT ${outputs}
    COMMAND crosscut::crosscut-compile ${arg_SOURCE} -o ${module} ${flags}
    DEPENDS ${arg_SOURCE} ${arg_DEPENDS} crosscut::crosscut-compile
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "Compiling model ${target}" VERBATIM)
  if(arg_FORMAT STREQUAL "static")
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${module})
    # The second for plugins, which such programs define: crosscut/plugin.h.
    target_include_directories(${target} INTERFACE ${folder} ${CROSSCUT_RUNTIME_DIR}/include)
    # The header is there before anything that includes it is compiled.
    add_custom_target(${target}.files ALL DEPENDS ${outputs})
    add_dependencies(${target} ${target}.files)
  else()
    add_custom_target(${target} ALL DEPENDS ${module})
    set(arg_FORMAT elf)
  endif()
  set_target_properties(${target} PROPERTIES CROSSCUT_MODULE ${module} CROSSCUT_FORMAT ${arg_FORMAT}
    CROSSCUT_TARGET "${compile_target}")
endfunction()

# Arguments that tests and benchmarks share. Sets where, models, suffix_<model>, run_flags and arg_* for the caller.
macro(_crosscut_parse_run command name more)
  set(where "${command}(${name})")
  cmake_parse_arguments(arg "" "MODEL;FUNCTION;DEVICE;THREADS;ATOL;RTOL;${more}" "INPUTS;EXPECTED;PLUGINS;RUNNER" ${ARGN})
  _crosscut_check_arguments("${where}" "${arg_UNPARSED_ARGUMENTS}" "${arg_KEYWORDS_MISSING_VALUES}")
  if(NOT arg_MODEL)
    message(FATAL_ERROR "${where}: MODEL is missing")
  endif()
  if(NOT TARGET ${arg_MODEL})
    message(FATAL_ERROR "${where}: '${arg_MODEL}' is no target")
  endif()
  get_target_property(models ${arg_MODEL} CROSSCUT_MODELS)
  if(models)
    foreach(model IN LISTS models)
      get_target_property(platform ${model} CROSSCUT_TARGET)
      set(suffix_${model} -${platform})
    endforeach()
  else()
    get_target_property(module ${arg_MODEL} CROSSCUT_MODULE)
    if(NOT module)
      message(FATAL_ERROR "${where}: '${arg_MODEL}' was not made by add_model()")
    endif()
    set(models ${arg_MODEL})
    set(suffix_${arg_MODEL} "")
  endif()
  foreach(model IN LISTS models)
    get_target_property(format ${model} CROSSCUT_FORMAT)
    if(format STREQUAL "static")
      message(FATAL_ERROR "${where}: '${model}' is FORMAT static: link it into a program and test that")
    endif()
  endforeach()
  set(run_flags)
  foreach(option FUNCTION DEVICE THREADS ATOL RTOL)
    if(DEFINED arg_${option})
      string(TOLOWER ${option} flag)
      list(APPEND run_flags --${flag}=${arg_${option}})
    endif()
  endforeach()
  foreach(value IN LISTS arg_INPUTS)
    _crosscut_absolute_value("${value}" value)
    list(APPEND run_flags --input=${value})
  endforeach()
  foreach(value IN LISTS arg_EXPECTED)
    _crosscut_absolute_value("${value}" value)
    list(APPEND run_flags --expected=${value})
  endforeach()
  foreach(library IN LISTS arg_PLUGINS)
    if(NOT TARGET ${library})
      message(FATAL_ERROR "${where}: PLUGINS: '${library}' is no target")
    endif()
    list(APPEND run_flags --plugin=$<TARGET_FILE:${library}>)
  endforeach()
endmacro()

# The value with its file's name, if it has one, made absolute: x=@in.npy becomes x=@/path/in.npy.
function(_crosscut_absolute_value value output)
  if(value MATCHES "^([^@]*@)([^/].*)$")
    set(value "${CMAKE_MATCH_1}${CMAKE_CURRENT_SOURCE_DIR}/${CMAKE_MATCH_2}")
  endif()
  set(${output} "${value}" PARENT_SCOPE)
endfunction()

# The command that starts `program` with the model's module on the model's platform.
function(_crosscut_run_command where program model runner output)
  get_target_property(module ${model} CROSSCUT_MODULE)
  get_target_property(platform ${model} CROSSCUT_TARGET)
  if(NOT platform OR platform STREQUAL CROSSCUT_HOST_PLATFORM)
    set(file $<TARGET_FILE:crosscut::${program}>)
  else()
    set(file ${CROSSCUT_PLATFORM_ROOT}/${platform}/bin/${program})
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "${where}: no ${program} for '${platform}': ${file} (build the target `platforms` of Crosscut)")
    endif()
    if(NOT runner)
      include(${CROSSCUT_TOOLCHAIN_DIR}/${platform}.cmake)
      set(runner ${CMAKE_CROSSCOMPILING_EMULATOR})
    endif()
  endif()
  set(${output} ${runner} ${file} --module=${module} PARENT_SCOPE)
endfunction()
