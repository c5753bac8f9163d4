#!/usr/bin/env bash
# docs/writing-a-storage-plugin.md does what it says: its files, taken out of the page in their order, build after each
# one, with the page's own line and strict compilers; its commands work where they stand; and the plugin at the end holds
# every rule of plugin-conformance. Speaks TAP. BUILD is where everything was built.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-$PWD/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0 failed=0
page=$PWD/docs/writing-a-storage-plugin.md extract=$PWD/tests/plugins/extract-example
sources=$PWD

check() { # WHAT COMMAND...
  local what=$1
  shift
  number=$((number + 1))
  if "$@" >"$work/out" 2>&1; then
    echo "ok $number - $what"
  else
    echo "not ok $number - $what"
    tail -n 60 "$work/out" | sed 's/^/# /'
    failed=1
  fi
}

# As an author has it: an installed backup-operator, and an empty folder.
make -s O="$build" DESTDIR="$work/dest" install >"$work/out" 2>&1 || { cat "$work/out" && exit 1; }
mkdir "$work/plugin" "$work/shelf"
cd "$work/plugin" || exit 1
prefix=$work/dest/usr/local
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/dest PATH=$prefix/bin:$PATH
export BACKUP_PLUGIN_PATH=$PWD:$prefix/lib/backup-operator/plugins

# The indented lines of the page that begin with a word, and the page's own folder is ours.
line() { grep -m 1 "^    $1" "$page" | sed "s,/tmp/shelf,$work/shelf,"; }
run_line() { [ -n "$(line "$1")" ] && eval "$(line "$1")"; }

cc() { "$compiler" -std=c11 -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Werror "$@"; }
builds() {
  for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    run_line 'cc ' || return 1
  done
}
takes() { "$extract" "$page" "$1" >"$1" && [ -s "$1" ]; }
says() { # TEXT LINE
  run_line "$2" >"$work/said" && cat "$work/said" && grep -q "$1" "$work/said"
}
after() { # FILE: what the page says can be done once this file is there
  case $1 in
    rest.c)
      check 'it loads, and shows its parameters' says 'path .*required' 'backupctl plugins shelf'
      check 'the static rules hold' run_line 'plugin-conformance --only static'
      ;;
    object.c)
      check 'a backup goes through it' run_line 'backupctl backup'
      check 'and comes back' says '^hello$' 'backupctl cat'
      ;;
    list.c) check 'it is listed' says ' greeting$' 'backupctl list' ;;
    sweep.c)
      check 'the stand-ins go' run_line 'rm rest.c'
      check 'it builds without them' builds
      check 'every rule holds' run_line 'plugin-conformance storage-shelf.so'
      ;;
  esac
}

mapfile -t files < <(sed -n 's/^<!-- example: \(.*\) -->$/\1/p' "$page")
check 'the page has files' [ "${#files[@]}" -ge 8 ]
for file in "${files[@]}"; do
  check "$file is taken out of the page" takes "$file"
  # Before there are stand-ins nothing can be linked.
  [[ $file == *.c ]] && { [ -e rest.c ] || [ "$file" = sweep.c ]; } && check "it builds with $file" builds
  after "$file"
done
formatted() { clang-format --dry-run --Werror --style=file:"$sources/.clang-format" ./*.[ch]; }
check 'the files are formatted as the rest of the project' formatted
readme_names_it() { grep -q 'writing-a-storage-plugin.md' "$sources/examples/storage-plugin/README.md"; }
check 'the example names the page' readme_names_it

echo "1..$number"
exit "$failed"
