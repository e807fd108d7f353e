# The package Crosscut, installed and in the build tree: find_package(Crosscut) works with Crosscut_DIR=build/host as well.
#
# Tools run on the machine that builds, and come from the host build. The runtime is linked into the user's program, so
# each platform's build exports its own; CrosscutConfig.cmake takes the one of the user's platform.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

if(CROSSCUT_PLATFORM_NAME)
  set(platform_dir ${CMAKE_INSTALL_LIBDIR}/crosscut/${CROSSCUT_PLATFORM_NAME})
  set(CMAKE_INSTALL_BINDIR ${platform_dir}/bin)
  set(archive_dir ${platform_dir})
else()
  set(platform_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Crosscut)
  set(archive_dir ${CMAKE_INSTALL_LIBDIR})
endif()

set_target_properties(crosscut_runtime PROPERTIES EXPORT_NAME runtime)
# crosscut_warnings holds compile options for the build alone; CMake 3.25 wants it named where crosscut_runtime is.
install(TARGETS crosscut_runtime crosscut_warnings EXPORT CrosscutRuntime ARCHIVE DESTINATION ${archive_dir})
install(EXPORT CrosscutRuntime NAMESPACE crosscut:: DESTINATION ${platform_dir})
export(EXPORT CrosscutRuntime NAMESPACE crosscut:: FILE CrosscutRuntime.cmake)

set(tools)
foreach(tool crosscut-compile crosscut-run crosscut-info crosscut-bench)
  if(TARGET ${tool})
    list(APPEND tools ${tool})
  endif()
endforeach()
if(CROSSCUT_PLATFORM_NAME)
  if(tools)
    install(TARGETS ${tools} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
  return()
endif()

install(TARGETS ${tools} EXPORT CrosscutTools)
install(EXPORT CrosscutTools NAMESPACE crosscut:: DESTINATION ${platform_dir})
export(EXPORT CrosscutTools NAMESPACE crosscut:: FILE CrosscutTools.cmake)
install(DIRECTORY runtime/include/crosscut TYPE INCLUDE)
install(DIRECTORY toolchains DESTINATION ${CMAKE_INSTALL_DATADIR}/crosscut
  PATTERN test EXCLUDE PATTERN CMakeLists.txt EXCLUDE)
# What a bare-metal project compiles for itself.
install(DIRECTORY runtime DESTINATION ${CMAKE_INSTALL_DATADIR}/crosscut
  PATTERN test EXCLUDE PATTERN fuzz EXCLUDE PATTERN samples EXCLUDE PATTERN tools EXCLUDE)
install(FILES cmake/AddModel.cmake DESTINATION ${platform_dir})

# crosscut_write_config(<folder> <install destination or empty>): the paths as they are in that tree.
function(crosscut_write_config folder destination)
  set(install_prefix)
  if(NOT destination)
    set(destination ${folder})
    set(install_prefix INSTALL_PREFIX ${folder})
  endif()
  configure_package_config_file(cmake/CrosscutConfig.cmake.in ${folder}/CrosscutConfig.cmake
    INSTALL_DESTINATION ${destination} ${install_prefix}
    PATH_VARS CROSSCUT_TOOLCHAIN_DIR CROSSCUT_RUNTIME_DIR CROSSCUT_PLATFORM_ROOT CROSSCUT_CMAKE_DIR)
  write_basic_package_version_file(${folder}/CrosscutConfigVersion.cmake COMPATIBILITY SameMinorVersion
    ARCH_INDEPENDENT)  # a 32-bit project uses the tools of a 64-bit host
endfunction()

set(CROSSCUT_HOST_PLATFORM ${CMAKE_SYSTEM_PROCESSOR}-linux)
set(CROSSCUT_TOOLCHAIN_DIR ${CMAKE_INSTALL_DATADIR}/crosscut/toolchains)
set(CROSSCUT_RUNTIME_DIR ${CMAKE_INSTALL_DATADIR}/crosscut/runtime)
set(CROSSCUT_PLATFORM_ROOT ${CMAKE_INSTALL_LIBDIR}/crosscut)
set(CROSSCUT_CMAKE_DIR ${platform_dir})
crosscut_write_config(${CMAKE_BINARY_DIR}/install-config ${platform_dir})
install(FILES ${CMAKE_BINARY_DIR}/install-config/CrosscutConfig.cmake
  ${CMAKE_BINARY_DIR}/install-config/CrosscutConfigVersion.cmake DESTINATION ${platform_dir})

set(CROSSCUT_TOOLCHAIN_DIR ${CMAKE_SOURCE_DIR}/toolchains)
set(CROSSCUT_RUNTIME_DIR ${CMAKE_SOURCE_DIR}/runtime)
set(CROSSCUT_PLATFORM_ROOT ${CROSSCUT_SUBBUILD_ROOT})
set(CROSSCUT_CMAKE_DIR ${CMAKE_SOURCE_DIR}/cmake)
crosscut_write_config(${CMAKE_BINARY_DIR} "")
