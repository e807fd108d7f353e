#!/usr/bin/env bash
# Builds ONNX's C++ library from its PyPI source package into build/deps/install.
#
# Debian 12 has ONNX 1.12 only, and the Python package's library cannot be linked. The version is the Python package's,
# so that checker and backend node cases agree with the compiler.
set -euo pipefail
. "$(dirname "$0")/common.sh"

version=1.23.2
sha256=008cb0467b2bbee41448acc7da8b6f4e704624cb0d327a2d5adafc7ce19bc5b8
work=$deps/onnx-$version
stamp=$deps/onnx.stamp
key=$(key_of "$version" "$sha256" "$0" "$(clang++-22 -dumpversion)" "$(protoc --version)")
is_done "$stamp" "$key" && exit 0

mkdir -p "$work"
archive=$work/onnx-$version.tar.gz
if ! echo "$sha256  $archive" | sha256sum --check --status 2>/dev/null; then
  say "ONNX $version: downloading its source package"
  echo "onnx==$version --hash=sha256:$sha256" >"$work/requirement"
  quietly "$work/download.log" "$build/venv/bin/pip" download --no-deps --no-build-isolation --no-binary onnx \
    --require-hashes --dest "$work" -r "$work/requirement"
fi
if [ ! -f "$work/unpacked" ]; then
  rm -rf "$work/source"
  mkdir "$work/source"
  tar -xzf "$archive" -C "$work/source" --strip-components=1
  # It asks for CMake 3.26, Debian has 3.25.1, and nothing in it needs more.
  sed -i 's/^cmake_minimum_required(VERSION 3\.26)/cmake_minimum_required(VERSION 3.25)/' "$work/source/CMakeLists.txt"
  touch "$work/unpacked"
fi

say "ONNX $version: building its C++ library (about two minutes)"
# Static, on the shared protobuf: two shared libraries that each hold ONNX's messages abort at load.
quietly "$work/configure.log" cmake -G Ninja -S "$work/source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
  -DCMAKE_INSTALL_PREFIX="$deps/install" -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF \
  -DONNX_ML=ON -DONNX_BUILD_PYTHON=OFF -DONNX_BUILD_TESTS=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON \
  -DONNX_USE_UNITY_BUILD=ON
quietly "$work/build.log" cmake --build "$work/build" --parallel "$jobs" --target install
mark_done "$stamp" "$key"
