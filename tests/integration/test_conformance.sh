#!/usr/bin/env bash
# plugin-conformance is right about plugins: each of tests/conformance/broken/ breaks just the rule that it is named
# after, the good ones and our own break none, and there is no rule without a plugin that breaks it. Speaks TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${BUILD:-build}" && pwd) || exit 1
work=$(mktemp -d)
server_pid=
clean_up() {
  [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT
export TMPDIR=$work
runner=$build/bin/plugin-conformance
number=0 failed=0

conclude() { # WHAT, after what was seen is in $work/out; status 0 is good
  local status=$?
  number=$((number + 1))
  if [ "$status" -eq 0 ]; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    head -n 60 "$work/out" | cut -c 1-400 | sed 's/^/#   /'
    failed=1
  fi
}

echo 'a key for tests, long enough to be looked for' >"$work/key"
echo 'another key for tests, which does not fit at all' >"$work/other-key"
arguments() { # FILE
  case ${1##*/} in
    storage-s3.so)
      # The server keeps objects as files, and takes a//b for a/b.
      echo "--param endpoint=127.0.0.1:$port --param insecure=true --param s3ForcePathStyle=true --param bucket=backups" \
        "--secret AWS_ACCESS_KEY_ID=$work/access --secret AWS_SECRET_ACCESS_KEY=$work/secret --wrong bucket=no-such-bucket" \
        "--skip STO-021"
      ;;
    storage-*) echo "--param path={tmp} --wrong path=/no/such/folder" ;;
    crypt-age.so)
      echo "--param recipients=$(age-keygen -y "$work/age") --secret identity=$work/age --wrong-secret identity=$work/age-2"
      ;;
    crypt-*) echo "--secret key=$work/key --wrong-secret key=$work/other-key" ;;
  esac
}

# ---- plugins that are wrong in one way

broken_rules() { grep '^not ok' "$work/out" | sed 's/^not ok [0-9]* - \([A-Z]*-[0-9]*\).*/\1/' | tr '\n' ' '; }

breaks_only() { # FILE RULE
  local more
  [ "$2" = TRA-011 ] || more="--skip TRA-011" # 4 GiB each time would take all day
  # shellcheck disable=SC2046,SC2086 # several words on purpose
  "$runner" --format tap $(arguments "$1") ${more:-} "$1" >"$work/out" 2>&1
  [ "$(broken_rules)" = "$2 " ]
}

holds_all() { # FILE ARGUMENT...: every rule, and none is left out
  local file=$1
  shift
  # shellcheck disable=SC2046 # several words on purpose
  "$runner" --format tap $(arguments "$file") "$@" "$file" >"$work/out" 2>&1 && ! grep -q '# SKIP' "$work/out"
}

ls "$build"/tests/conformance/*/*.so >/dev/null || { echo "not ok - make broken-plugins must come first" && exit 1; }
for file in "$build"/tests/conformance/*/*.so; do
  name=$(basename "$(dirname "$file")")
  case $name in
    *_none)
      holds_all "$file" --skip TRA-011
      conclude "the good ${name%_none} plugin keeps every rule"
      ;;
    *)
      rule=$(echo "$name" | tr 'a-z_' 'A-Z-')
      breaks_only "$file" "$rule"
      conclude "$rule is broken by the plugin that breaks it, and no other rule"
      ;;
  esac
done

# What the loader refuses is a broken rule, too, whatever it is.
for file in "$build"/tests/plugins-so/compress-bad-*.so; do
  case $file in *-none.so | *-other-kind.so | *-no-symbol.so | *-name.so) continue ;; esac
  breaks_only "$file" STA-005
  conclude "STA-005 is broken by ${file##*/}"
done

# ---- our own

start_s3_server() {
  local server
  server=$(scripts/install-s3-server 2>"$work/out") || return
  printf testkey >"$work/access"
  printf testsecret123 >"$work/secret"
  mkdir -p "$work/gateway/backups"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  (cd "$work/gateway" && exec "$server" --port "127.0.0.1:$port" --keep-alive --access testkey --secret testsecret123 \
    --quiet posix . >"$work/server.log" 2>&1) &
  server_pid=$!
  for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.05
  done
  return 1
}
if [ -e "$build/plugins/storage-s3.so" ]; then
  start_s3_server
  conclude 'there is an S3 server'
fi
age-keygen -o "$work/age" 2>/dev/null
age-keygen -o "$work/age-2" 2>/dev/null
for file in "$build"/plugins/*.so; do
  begin=$SECONDS
  holds_all "$file"
  conclude "${file##*/} keeps every rule ($((SECONDS - begin)) s)"
done

# ---- the rules themselves

"$runner" --list >"$work/rules"
every_rule_can_be_broken() {
  local id missing=0
  while read -r id _; do
    [ -d "$build/tests/conformance/$(echo "$id" | tr 'A-Z-' 'a-z_')" ] || { echo "$id" && missing=1; }
  done <"$work/rules" >"$work/out"
  return "$missing"
}
every_rule_is_documented() {
  local id line missing=0
  while read -r line; do
    id=${line%% *}
    "$runner" --explain "$id" >"$work/explained" || missing=1
    grep "^| $id |" docs/conformance.md | grep -qF "| ${line:32} |" || { echo "docs/conformance.md: $line" && missing=1; }
  done <"$work/rules" >"$work/out"
  return "$missing"
}
docs_name_no_other() {
  local id unknown=0
  for id in $(grep -o '^| [A-Z]*-[0-9]* |' docs/conformance.md | tr -d '| '); do
    grep -q "^$id " "$work/rules" || { echo "$id is no rule" && unknown=1; }
  done >"$work/out"
  return "$unknown"
}
every_rule_can_be_broken
conclude 'for every rule there is a plugin that breaks it'
every_rule_is_documented
conclude 'every rule is explained and stands in docs/conformance.md'
docs_name_no_other
conclude 'docs/conformance.md has no other rules'

# ---- the program

file=$build/tests/conformance/transform_none/crypt-good.so
status_is() { # STATUS ARGUMENT...
  local wanted=$1 status
  shift
  "$runner" "$@" >"$work/out" 2>&1
  status=$?
  echo "exit status $status" >>"$work/out"
  [ "$status" -eq "$wanted" ]
}
status_is 0 --only STA "$file"
conclude 'exit status 0 when every rule holds'
status_is 1 --only STA "$build/tests/conformance/sta_003/crypt-good.so"
conclude 'exit status 1 when one is broken'
status_is 2 "$build/plugins/storage-file.so" && grep -q 'path.*is required' "$work/out"
conclude 'exit status 2 when a parameter is missing, and it is named'
status_is 2 --only STA-999 "$file"
conclude 'exit status 2 for a rule that does not exist'
status_is 2 --param nonsense "$file"
conclude 'exit status 2 for a parameter without a value'
status_is 3 README.md
conclude 'exit status 3 for a file that is no plugin'
status_is 3 "$build/tests/conformance/sta_002/crypt-good.so"
conclude 'exit status 3 for a plugin that cannot be loaded'

json_is_keyed_by_hash() {
  "$runner" --only STA --format json "$file" >"$work/out" &&
    python3 -c 'import json, sys
with open(sys.argv[1]) as f: results = json.load(f)
entry = results[sys.argv[2]]
sys.exit(entry["broken"] != 0 or entry["rules"]["STA-001"]["result"] != "holds")' \
      "$work/out" "$(sha256sum "$file" | cut -d' ' -f1)"
}
json_is_keyed_by_hash
conclude 'JSON has the results under the hash of the file'
junit_is_xml() {
  "$runner" --only STA --format junit "$build/tests/conformance/sta_003/crypt-good.so" >"$work/out"
  python3 -c 'import sys, xml.etree.ElementTree as xml
suite = xml.parse(sys.argv[1]).getroot()
failed = [case.get("name")[:7] for case in suite if case.find("failure") is not None]
sys.exit(failed != ["STA-003"] or suite.get("failures") != "1")' "$work/out"
}
junit_is_xml
conclude 'JUnit XML has the rule that is broken, and no other'

crashes_and_hangs() {
  "$runner" --only STA-005,ABI-002 "$build/tests/conformance/abi_002/crypt-good.so" >"$work/out"
  grep -q 'signal 11.*in bo_plugin_init()' "$work/out"
}
crashes_and_hangs
conclude 'a crash is a result that names signal and function'
begin=$SECONDS
holds_all "$build/plugins/compress-gzip.so" --quick && [ $((SECONDS - begin)) -lt 30 ]
conclude '--quick is quick'
leftovers() { ! ls -d "$work"/plugin-conformance-* >"$work/out" 2>&1; }
leftovers
conclude 'no folder of a rule is left'

echo "1..$number"
exit "$failed"
