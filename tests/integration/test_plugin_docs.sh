#!/usr/bin/env bash
# The example in docs/plugin-abi.md, as it stands in the page: strict compilers take it, and what comes out is what
# the page says a plugin is. That it works is shown by tests/unit/plugin/test_transform.c and
# test_install.sh. Speaks TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0 failed=0
page=docs/plugin-abi.md source=$work/compress-rle.c object=$work/compress-rle.so

check() { # WHAT COMMAND...
  local what=$1
  shift
  number=$((number + 1))
  if "$@" >"$work/out" 2>&1; then
    echo "ok $number - $what"
  else
    echo "not ok $number - $what"
    sed 's/^/# /' "$work/out"
    failed=1
  fi
}

extracts() { tests/plugins/extract-example "$page" compress-rle.c >"$source" && grep -q bo_plugin_init "$source"; }
refuses_unknown() { ! tests/plugins/extract-example "$page" compress-other.c; }
compiles() { # COMPILER
  command -v "$1" || return 0
  "$1" -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror -O2 -Iinclude -fPIC \
    -fvisibility=hidden -shared -o "$object" "$source"
}
exports_one_symbol() { [ "$(nm -D --defined-only "$object" | awk '{ print $3 }')" = bo_plugin_init ]; }
needs_only_libc() { ! readelf -d "$object" | grep NEEDED | grep -v 'libc\.so'; }
is_bounded() { # the page shows a plugin, not a book
  [ "$(wc -l <"$source")" -lt 200 ]
}
names_exist() {
  local name missing=0
  for name in $(grep -o '`BO_[A-Z_]*[A-Z]`' "$page" | tr -d '`' | sort -u); do
    grep -rqw "$name" include/backup-operator || { echo "$name is in no header" && missing=1; }
  done
  return "$missing"
}

check 'the example is in the page' extracts
check 'an example that is not there is an error' refuses_unknown
check 'gcc takes it without a warning' compiles gcc
check 'clang takes it without a warning' compiles clang
check 'it exports bo_plugin_init and nothing else' exports_one_symbol
check 'it needs nothing but the C library' needs_only_libc
check 'it is short' is_bounded
check 'every constant that the page names exists' names_exist
echo "1..$number"
exit "$failed"
