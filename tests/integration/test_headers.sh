#!/usr/bin/env bash
# Each public header compiles alone and twice, as C11 and as C++, with every compiler that is here and no warning:
# a plugin's author has nothing else. Speaks TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Werror -Wshadow -Wundef"
number=0 failed=0

compile() { # COMPILER STANDARD LANGUAGE HEADER
  number=$((number + 1))
  # shellcheck disable=SC2086 # several words on purpose
  if printf '#include <backup-operator/%s>\n#include <backup-operator/%s>\n' "$4" "$4" |
    "$1" -x "$3" -std="$2" $warnings -Iinclude -fsyntax-only - >"$work/out" 2>&1; then
    echo "ok $number - $4 with $1 as $2"
  else
    echo "not ok $number - $4 with $1 as $2"
    sed 's/^/# /' "$work/out"
    failed=1
  fi
}

for header in include/backup-operator/*.h; do
  for pair in gcc:c11 clang:c11 gcc:c17 g++:c++11 clang++:c++11 g++:c++20 clang++:c++20; do
    compiler=${pair%%:*} standard=${pair#*:}
    command -v "$compiler" >/dev/null || continue
    case $standard in c++*) language=c++ ;; *) language=c ;; esac
    compile "$compiler" "$standard" "$language" "$(basename "$header")"
  done
done
echo "1..$number"
exit "$failed"
