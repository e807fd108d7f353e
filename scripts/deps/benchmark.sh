#!/usr/bin/env bash
# Builds Google Benchmark for platforms into build/deps/<platform>. usage: benchmark.sh PLATFORM...   ("host" is one)
#
# Debian has the library for some architectures only, but its source package builds for all. The package comes through
# an apt state of our own, so that the system's sources stay as they are, and neither root nor deb-src lines are needed.
set -euo pipefail
. "$(dirname "$0")/common.sh"

version=1.7.1
sha256=6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7
work=$deps/benchmark-$version
archive=$work/benchmark_$version.orig.tar.gz

fetch() {
  local apt=$work/apt options suites
  mkdir -p "$apt/lists/partial" "$apt/cache/partial"
  # shellcheck disable=SC2016  # apt's variables
  suites=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E ' bookworm main$' | head -n 1)
  [ -n "$suites" ] || die "apt's sources name no Debian bookworm main"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $suites" >"$apt/sources.list"
  options=(-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Dir::Etc::sourcelist="$apt/sources.list"
    -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
  say "Google Benchmark $version: downloading Debian's source package"
  quietly "$work/update.log" apt-get "${options[@]}" update
  (cd "$work" && quietly "$work/source.log" apt-get "${options[@]}" source --download-only benchmark)
}

build_for() {
  local platform=$1 compiler=(-DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_C_COMPILER=clang-22) key
  [ "$platform" = host ] || compiler=(-DCMAKE_TOOLCHAIN_FILE="$root/toolchains/$platform.cmake")
  key=$(key_of "$version" "$sha256" "$0" "$root/toolchains/$platform.cmake" "$(g++ -dumpfullversion)")
  is_done "$deps/benchmark-$platform.stamp" "$key" && return
  say "Google Benchmark $version: building for $platform"
  rm -rf "${work:?}/$platform"
  quietly "$work/$platform.log" cmake -G Ninja -S "$work/source" -B "$work/$platform" -DCMAKE_BUILD_TYPE=Release \
    "${compiler[@]}" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_INSTALL_PREFIX="$deps/$platform" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBENCHMARK_ENABLE_TESTING=OFF -DBENCHMARK_ENABLE_GTEST_TESTS=OFF \
    -DBENCHMARK_INSTALL_DOCS=OFF -DBENCHMARK_ENABLE_WERROR=OFF -DCMAKE_CXX_FLAGS=-Wno-c2y-extensions -DHAVE_STD_REGEX=ON -DRUN_HAVE_STD_REGEX=1
  quietly "$work/$platform.log" cmake --build "$work/$platform" --parallel "$jobs" --target install
  mark_done "$deps/benchmark-$platform.stamp" "$key"
}

mkdir -p "$work"
if ! echo "$sha256  $archive" | sha256sum --check --status 2>/dev/null; then
  fetch
  echo "$sha256  $archive" | sha256sum --check --status || die "$archive: not the known source package"
fi
if [ ! -f "$work/unpacked" ]; then
  rm -rf "$work/source"
  mkdir "$work/source"
  tar -xzf "$archive" -C "$work/source" --strip-components=1
  touch "$work/unpacked"
fi
for platform in "$@"; do build_for "$platform"; done
