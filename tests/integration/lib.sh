# tests/integration/lib.sh - what the tests of the programs share. Sourced, not run.
#
# Each test script works on a copy of the programs in a folder of its own, so that every process that it has caused can
# be told from all others: by its path, or by the variable BO_TEST_MARK, which a run's command and all its children
# inherit. A case runs backupctl once, looks at everything that could be wrong, and writes one TAP line.
set -u -o pipefail

build=$(cd "${BUILD:-build}" && pwd) || exit 1
work=$(mktemp -d) || exit 1
store=$work/store
eof=$work/eof # a restore's command makes this file when its stdin has ended cleanly
failed=0
problems=

clean_up() {
  local pids
  pids=$(left_processes)
  [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
  rm -rf "$work"
  [ "$failed" -eq 0 ]
}
trap 'clean_up; exit' EXIT

mkdir "$store" "$work/tmp" "$work/state" "$work/bin" "$work/plugins"
cp "$build"/bin/backupctl "$build"/bin/backup-runner "$work/bin/" || exit 1
cp "$build"/plugins/* "$work/plugins/" || exit 1

# use_faulty_plugins: the storage and the codec that go wrong on purpose are there, too.
use_faulty_plugins() {
  cp "$build"/tests/plugins-so/{storage,compress}-faulty.so "$work/plugins/" ||
    { echo "not ok - make faulty-plugins must come first" && exit 1; }
}

# Sanitized programs are slower, need more memory than a limit allows, and die by an exit status of their own.
sanitized() { grep -qaE '__(asan|tsan)_init' "$work/bin/backup-runner"; }

# ---- a case

problem() { problems+="#   $*"$'\n'; }

# conclude TEXT: the TAP line of a case, and why it failed.
conclude() {
  if [ -z "$problems" ]; then
    echo "ok - $1"
  else
    echo "not ok - $1"
    printf '%s' "$problems"
    echo "#   it ended with status ${status:-?} after ${elapsed_ms:-?} ms and said:"
    cat "$work/out" "$work/err" 2>/dev/null | head -n 20 | cut -c 1-300 | sed 's/^/#   | /'
    failed=1
  fi
  problems=
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# run ARG...: backupctl; leaves `status`, `elapsed_ms` and the files $work/out and $work/err.
run() {
  local begin
  begin=$(now_ms)
  start "$@"
  wait "$pid"
  status=$?
  elapsed_ms=$(($(now_ms) - begin))
}

# start ARG...: the same in the background, as `pid`.
start() {
  TMPDIR=$work/tmp BO_TEST_MARK=$work "$work/bin/backupctl" "$@" >"$work/out" 2>"$work/err" </dev/null &
  pid=$!
}

storage=(--storage file --param "path=$store")
common=(--state "$work/state")

# data_arguments COMMAND [OPTION...] -- ARG...: where, under which key, and the mark for what it starts.
backup() { run backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK "$@"; }
restore() { run restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK "$@"; }

# ---- what must hold

# left_processes: the pids of all that this test has started and that still runs. A zombie does not: it is the business
# of whoever adopted it.
left_processes() {
  local process
  for process in $({ grep -lszF "$work/" /proc/[0-9]*/cmdline; grep -lszxF "BO_TEST_MARK=$work" /proc/[0-9]*/environ; } 2>/dev/null |
    cut -d / -f 3 | sort -u); do
    grep -qsE '^State:.*[ZX] ' "/proc/$process/status" || echo "$process"
  done
}

# check_gone [SECONDS]: no process is left; when it was killed from outside what it left is given a moment to go.
check_gone() {
  local until=$(($(now_ms) + ${1:-0} * 1000)) pids
  while pids=$(left_processes) && [ -n "$pids" ] && [ "$(now_ms)" -lt "$until" ]; do sleep 0.05; done
  [ -z "$pids" ] || problem "processes are left: $(ps -o pid=,ppid=,stat=,args= -p "$(echo $pids | tr ' ' ,)" | tr '\n' ';')"
}

# Every file below the storage and the folder for temporary files, and the records.
files() { (cd "$work" && find store tmp state -type f -printf '%p %s\n' && find tmp -mindepth 1 -type d) | sort; }
remember_files() { files >"$work/files"; }
check_files() {
  files | diff "$work/files" - >"$work/diff" || problem "files are not as before: $(grep '^[<>]' "$work/diff" | tr '\n' ' ')"
}

check_status() { [ "$status" -eq "$1" ] || problem "the exit status is $status, not $1"; }
check_said() { grep -qE -- "$1" "$work/err" || problem "stderr does not say: $1"; }
check_within() { [ "$elapsed_ms" -le "$1" ] || problem "it took $elapsed_ms ms, more than $1"; }
check_no_key() { [ ! -e "$store/k" ] || problem "there is an object at the key"; }
check_no_eof() { [ ! -e "$eof" ] || problem "the command's stdin was ended as if all had come"; }

# backup_fails TEXT STATUS PATTERN [OPTION...] -- COMMAND...: and nothing of it is anywhere.
backup_fails() {
  local text=$1 wanted=$2 pattern=$3
  shift 3
  remember_files
  backup "$@"
  check_status "$wanted"
  check_said "$pattern"
  check_files
  check_gone
  conclude "$text"
}

# The command of a restore: reads everything, and notes that the end has come.
reader=(sh -c 'cat >/dev/null && : >"$1"' reader "$eof")

# restore_fails TEXT STATUS PATTERN [OPTION...] -- COMMAND...
restore_fails() {
  local text=$1 wanted=$2 pattern=$3
  shift 3
  rm -f "$eof"
  remember_files
  restore "$@"
  check_status "$wanted"
  check_said "$pattern"
  check_no_eof
  check_files
  check_gone
  conclude "$text"
}

# noise BYTES: data that do not compress, fast, and always the same.
noise() { openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00 -nosalt -in /dev/zero 2>/dev/null | head -c "$1"; }
