#!/usr/bin/env bash
# The example of a third-party plugin, as its author has it: a copy of its folder outside of the sources, built with
# nothing but what `make install` has put into an empty folder. Its own tests pass, every rule of plugin-conformance
# holds, and the installed programs back up, verify, list and restore through it, against a real SSH server on loopback.
# Speaks TAP. BUILD is where everything was built.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-$PWD/build}
work=$(mktemp -d)
number=0 failed=0 server_pid=
end() {
  [ -z "$server_pid" ] || stop_server
  rm -rf "$work"
}
trap end EXIT
dest=$work/dest prefix=$work/dest/usr/local

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

make -s O="$build" DESTDIR="$dest" install >"$work/out" 2>&1 || { cat "$work/out" && exit 1; }
cp -r examples/storage-plugin "$work/plugin"
cd "$work/plugin" || exit 1
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest PATH=$prefix/bin:$PATH
export BACKUP_PLUGIN_PATH=$prefix/lib/backup-operator/plugins

only_installed_headers() { ! grep -rhE '^#include "(core|plugins|include|tests)/' . | grep .; }
own_tests() { make -s check >"$work/tap" 2>&1 || echo "not ok - make check failed" >>"$work/tap"; cat "$work/tap"; ! grep -q '^not ok' "$work/tap" && [ "$(grep -c '^ok' "$work/tap")" -ge 27 ]; }
described() { backupctl plugins sftp | tee "$work/described" && grep -q hostKey "$work/described"; }

check 'it includes nothing of the sources' only_installed_headers
check 'it builds outside of them' make -s
check 'its own tests pass' own_tests
check 'make install puts it where the host looks' make -s install
check 'the host describes it' described

. tests/server.sh
start_server
store=$server/store state=$work/state
where=(--storage sftp --param host=127.0.0.1 --param port="$port" --param user="$(id -un)" --param path="$store"
  --param hostKey="$(cat "$server/host_key.pub")" --secret-file privateKey="$server/key")

conforms() {
  plugin-conformance storage-sftp.so --param host=127.0.0.1 --param port="$port" --param user="$(id -un)" --param 'path={tmp}' \
    --param hostKey="$(cat "$server/host_key.pub")" --secret privateKey="$server/key" --wrong path=/nowhere/at/all
}
check 'every rule of plugin-conformance holds' conforms

# ---- a backup through it, and back

head -c 20000000 /dev/urandom >"$work/data"
age-keygen -o "$work/identity" 2>/dev/null
recipient=$(age-keygen -y "$work/identity")
backs_up() { backupctl backup "${where[@]}" --state "$state" --key ns/data.age --recipient "$recipient" -- cat "$work/data"; }
by_hand() { age -d -i "$work/identity" "$store/ns/data.age" | gunzip | cmp - "$work/data"; }
verifies() { backupctl verify "${where[@]}" --state "$state" --key ns/data.age --identity "$work/identity"; }
lists() { [ "$(backupctl list "${where[@]}" | awk '{ print $NF }')" = ns/data.age ]; }
restores() {
  backupctl restore "${where[@]}" --state "$state" --key ns/data.age --identity "$work/identity" \
    -- sh -c 'cat >"$1"' sh "$work/copy" && cmp "$work/data" "$work/copy"
}
refuses_a_stranger() {
  local stranger=("${where[@]/hostKey=*/hostKey=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}")
  ! backupctl backup "${stranger[@]}" --state "$state" --key stranger -- echo x && [ ! -e "$store/stranger" ]
}
left_of_puts() { find "$store/.storage-sftp" -maxdepth 1 -type f | wc -l; }

check 'a backup, compressed and encrypted' backs_up
check 'the object can be read with nothing but age and gunzip' by_hand
check 'it is verified' verifies
check 'it is listed, and nothing else' lists
check 'it is restored' restores
check 'a server with another host key gets nothing' refuses_a_stranger

# ---- killed in mid-upload: backupctl and its runner at once, so that nobody is left to put anything away

killed() {
  local pid runner
  backupctl backup "${where[@]}" --state "$state" --key ns/killed --compress none \
    -- sh -c 'cat "$1"; : >"$2"; sleep 600' sh "$work/data" "$work/started" &
  pid=$!
  for _ in $(seq 600); do [ -e "$work/started" ] && break || sleep 0.1; done
  [ -e "$work/started" ] || return 1
  # The last bytes may still be on their way to the server: what matters is that some are there.
  for _ in $(seq 100); do find "$store/.storage-sftp" -name '*.data' -size +1000k | grep -q . && break || sleep 0.1; done
  runner=$(ps -o pid=,args= --ppid "$pid" | awk '/backup-runner/ { print $1 }')
  [ -n "$runner" ] && kill -KILL "$pid" "$runner"
  wait "$pid" 2>/dev/null
  [ "$(left_of_puts)" -eq 2 ] && [ ! -e "$store/ns/killed" ]
}
sweeps() { backupctl sweep "${where[@]}" --older-than 0s && [ "$(left_of_puts)" -eq 0 ]; }

check 'a backup that is killed leaves nothing at the key' killed
check 'and a listing does not show it' lists
check 'a sweep takes what it has left' sweeps
check 'and leaves what is whole' verifies

echo "1..$number"
exit "$failed"
