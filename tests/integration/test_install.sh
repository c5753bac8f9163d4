#!/usr/bin/env bash
# `make install` into an empty folder, and then a plugin's author who has nothing but that: the example of
# docs/plugin-abi.md is built with the installed headers and backup-operator.pc, and the installed programs use it.
# Speaks TAP. BUILD is where everything was built.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-$PWD/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dest=$work/dest prefix=$work/dest/usr/local number=0

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
failed=0

installs() { make -s O="$build" DESTDIR="$dest" install; }
nothing_elsewhere() { ! find "$dest" -not -type d -not -path "$prefix/*" | grep . && ! find "$dest" -not -type l -perm /022 | grep .; }
programs_run() {
  local program
  for program in "$build"/bin/*; do
    "$prefix/bin/$(basename "$program")" --version | grep -F "$(cat VERSION)" || return 1
  done
  "$prefix/bin/kubectl-backup" --version
}
plugins_are_there() {
  local plugin
  for plugin in plugins/*/; do [ -x "$prefix/lib/backup-operator/plugins/$(basename "$plugin").so" ] || return 1; done
  [ -x "$prefix/lib/backup-operator/plugins/platform-local-supervisor" ]
}
headers_are_there() { diff -r include/backup-operator "$prefix/include/backup-operator"; }
manual_is_there() {
  local page
  for page in docs/man/*.[1-8]; do cmp "$page" "$prefix/share/man/man${page##*.}/${page##*/}" || return 1; done
}
variable_is() { [ "$(pkg-config --variable="$1" backup-operator)" = "$2" ]; }

check 'make install succeeds' installs
check 'it writes below the prefix only, and nothing that others may write to' nothing_elsewhere
check 'the programs run' programs_run
check 'every plugin is there, and the supervisor beside them' plugins_are_there
check 'the headers are there' headers_are_there
check 'the manual pages are there' manual_is_there

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest
check 'backup-operator.pc is valid' pkg-config --validate --print-errors backup-operator
check 'it knows the version' pkg-config --exact-version="$(cat VERSION)" backup-operator
check 'it knows where plugins belong' variable_is plugindir "${PKG_CONFIG_SYSROOT_DIR}/usr/local/lib/backup-operator/plugins"
check 'it knows the ABI' variable_is abi "$(printf '#include <backup-operator/abi.h>\nBO_ABI_MAJOR.BO_ABI_MINOR\n' |
  cc -E -P -x c -Iinclude - | tail -n 1 | tr -d ' ')"

# From here on as a stranger: in a folder of their own, without the sources.
mkdir "$work/author" "$work/objects"
example=$PWD/tests/plugins/extract-example page=$PWD/docs/plugin-abi.md
cd "$work/author" || exit 1
builds() {
  "$example" "$page" compress-rle.c >compress-rle.c && read -ra flags <<<"$(pkg-config --cflags backup-operator)" &&
    cc "${flags[@]}" -std=c11 -Wall -Wextra -Werror -O2 -fPIC -fvisibility=hidden -shared -o compress-rle.so compress-rle.c
}
installed=$prefix/lib/backup-operator/plugins
describes() { BACKUP_PLUGIN_PATH=$installed "$prefix/bin/backupctl" plugins compress-rle; }
backs_up() {
  BACKUP_PLUGIN_PATH=$installed "$prefix/bin/backupctl" backup --storage file --param path="$work/objects" --key k \
    --compress rle -- printf 'aaaaaaaaaaaaaaaabbbb\n'
}
reads_back() {
  BACKUP_PLUGIN_PATH=$installed "$prefix/bin/backupctl" cat --storage file --param path="$work/objects" --key k \
    --compress rle >plain && [ "$(cat plain)" = aaaaaaaaaaaaaaaabbbb ]
}
check "the documentation's example compiles with what was installed" builds
check 'it is put into the installed folder' install compress-rle.so "$(pkg-config --variable=plugindir backup-operator)"
check 'the installed program describes it' describes
check 'a backup goes through it' backs_up
check 'and comes back' reads_back

echo "1..$number"
exit "$failed"
