#!/bin/sh
# Compiles the functions of functions.h for a target and compares them with the C library there.
#   run.sh MATH-COMPILE DRIVER.C "CC AND FLAGS" "EMULATOR OR NOTHING" "DRIVER'S ARGUMENTS" MATH-COMPILE'S ARGUMENTS...
# Without CC, the object is compiled and its symbols are checked, no more.
set -eu
compile=$1 driver=$2 cc=$3 emulator=$4 arguments=$5
shift 5
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$compile" "$@" -o "$folder/functions.o"
[ -n "$cc" ] || exit 0
# An A-profile processor runs this M-profile code, but the linker refuses to join the two.
case "$*" in *cortex-m*) "${cc%%gcc*}objcopy" --remove-section .ARM.attributes "$folder/functions.o" ;; esac
# shellcheck disable=SC2086 # several words each
$cc -O2 -static -o "$folder/driver" "$driver" "$folder/functions.o" -lm
# shellcheck disable=SC2086
$emulator "$folder/driver" $arguments
