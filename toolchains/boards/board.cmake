# crosscut::board: start-up code, semihosting and linker script of the board that the toolchain file names. A program that
# links it has main() and nothing else to do. Included by find_package(Crosscut) where CROSSCUT_BOARD is set.
include_guard(GLOBAL)
set(folder ${CMAKE_CURRENT_LIST_DIR})
add_library(crosscut_board INTERFACE)
add_library(crosscut::board ALIAS crosscut_board)
target_sources(crosscut_board INTERFACE ${folder}/board.c ${folder}/start-${CROSSCUT_BOARD_START}.c)
# Compilers know these loops as memcpy and memset, and would call what they are.
set_source_files_properties(${folder}/board.c PROPERTIES COMPILE_OPTIONS "-fno-builtin;-ffreestanding")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set_property(SOURCE ${folder}/board.c APPEND PROPERTY COMPILE_OPTIONS -fno-tree-loop-distribute-patterns)
  target_link_libraries(crosscut_board INTERFACE gcc)
else()
  target_link_options(crosscut_board INTERFACE -static -fuse-ld=lld)
endif()
target_include_directories(crosscut_board INTERFACE ${folder})
target_link_options(crosscut_board INTERFACE -nostdlib -L${folder} -T${folder}/${CROSSCUT_BOARD}.ld -Wl,--gc-sections)
set_target_properties(crosscut_board PROPERTIES INTERFACE_LINK_DEPENDS
  "${folder}/${CROSSCUT_BOARD}.ld;${folder}/sections.ld")
