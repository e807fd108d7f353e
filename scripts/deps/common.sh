# Shared by scripts/setup and the scripts of this folder: places, progress and stamps.
# A step is done when its stamp holds the step's key; the key names everything that the result depends on, so that a
# changed version, script or compiler does the step again, and a killed one starts over.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build
deps=${CROSSCUT_DEPS_DIR:-$build/deps}
jobs=$(nproc)

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# key_of WORD...: a short hash of the words and of the contents of those that are files.
key_of() {
  local word
  for word in "$@"; do
    if [ -f "$word" ]; then cat "$word"; else printf '%s\n' "$word"; fi
  done | sha256sum | cut -c1-16
}

is_done() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }     # is_done STAMP KEY
mark_done() { printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1"; }  # mark_done STAMP KEY

# quietly LOG COMMAND...: runs it, shows the end of its output only when it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "failed: $* (all of its output: $log)"
  fi
}
