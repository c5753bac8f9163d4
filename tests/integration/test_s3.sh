#!/usr/bin/env bash
# Backups and restores through a real S3 server: what arrives, what is left when things go wrong, and what is said then.
# Between the two stands, where a case asks for it, a proxy that does harm on purpose.
. "${BASH_SOURCE%/*}/lib.sh"
here=$(cd "${BASH_SOURCE%/*}/../.." && pwd)
server=$("$here/scripts/install-s3-server" 2>"$work/install") || { cat "$work/install"; echo "not ok - no S3 server"; exit 1; }

gateway=$work/gateway
store=$gateway/backups
mkdir -p "$store"
printf testkey >"$work/access"
printf 'testsecret123\n' >"$work/secret"

# ---- the server and the proxy

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for_port() {
  for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.05
  done
  echo "not ok - nothing listens at port $1"
  exit 1
}

# Its arguments do not name the test's folder, so that it is not taken for something a run left.
start_server() {
  (cd "$gateway" && exec "$server" --port "127.0.0.1:$port" --keep-alive --access testkey --secret testsecret123 \
    --quiet posix . >>"$work/server.log" 2>&1) &
  server_pid=$!
  wait_for_port "$port"
}
kill_server() {
  kill -KILL "$server_pid"
  wait "$server_pid" 2>/dev/null
}

proxy_pid=
end_proxy() {
  [ -z "$proxy_pid" ] || { kill "$proxy_pid"; wait "$proxy_pid" 2>/dev/null; }
  proxy_pid=
}
# through FAULT...: from now on everything goes through the proxy.
through() {
  end_proxy
  : >"$work/proxy.port"
  python3 "$here/tests/support/s3_proxy.py" "$port" "$@" >"$work/proxy.port" 2>"$work/proxy.log" &
  proxy_pid=$!
  until [ -s "$work/proxy.port" ]; do sleep 0.02; done
  s3 "127.0.0.1:$(cat "$work/proxy.port")"
}
directly() {
  end_proxy
  s3 "127.0.0.1:$port"
}

# s3 ENDPOINT [OPTION...]: the storage that the cases use.
s3() {
  storage=(--storage s3 --param "endpoint=$1" --param insecure=true --param s3ForcePathStyle=true
    --param bucket=backups --param connectTimeoutSeconds=2 --param requestTimeoutSeconds=3
    --secret-file "AWS_ACCESS_KEY_ID=$work/access" --secret-file "AWS_SECRET_ACCESS_KEY=$work/secret" "${@:2}")
}

eval "lib_$(declare -f clean_up)"
clean_up() {
  end_proxy
  kill "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  lib_clean_up
}

# ---- what is on the server

files() { (cd "$work" && find gateway tmp state -type f -printf '%p %s\n') | sort; }

# check_no_uploads: the server itself knows of none.
check_no_uploads() {
  curl -s --max-time 20 --aws-sigv4 aws:amz:us-east-1:s3 --user testkey:testsecret123 \
    -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' \
    "http://127.0.0.1:$port/backups?uploads=" >"$work/uploads"
  grep -q '<ListMultipartUploadsResult' "$work/uploads" || problem "the server did not list its uploads: $(head -c 300 "$work/uploads")"
  grep -q '<UploadId>' "$work/uploads" && problem "an upload is left: $(head -c 600 "$work/uploads")"
}

check_tried() { [ "$(grep -c "^$1 " "$work/proxy.log")" -ge "$2" ] || problem "$1 came less than $2 times: $(sort "$work/proxy.log" | uniq -c | tr '\n' ';')"; }
# Twelve megabytes are three parts.
check_not_repeated() { [ "$(grep -c "^$1 " "$work/proxy.log")" -le "$([ "$1" = part ] && echo 3 || echo 1)" ] || problem "$1 was repeated: $(sort "$work/proxy.log" | uniq -c | tr '\n' ';')"; }

# check_private: neither secret nor signature is in what was said.
check_private() { grep -qE 'testsecret123|Signature=|AWS4-HMAC' "$work/out" "$work/err" && problem "a secret was said"; }

# fails TEXT STATUS PATTERN [OPTION...] -- COMMAND...: a backup, of which nothing is left.
fails() {
  local text=$1 wanted=$2 pattern=$3
  shift 3
  remember_files
  backup --compress none -v "$@"
  check_status "$wanted"
  check_said "$pattern"
  check_files
  check_gone
  check_no_uploads
  check_private
  conclude "$text"
}

# works TEXT [OPTION...]: a backup of $work/data, which is at the key afterwards, byte for byte.
works() {
  local text=$1
  shift
  rm -rf "$store/k"
  backup --compress none -v "$@" -- cat "$work/data"
  check_status 0
  cmp -s "$work/data" "$store/k" || problem "the object is not what was backed up"
  check_gone
  check_no_uploads
  check_private
  conclude "$text"
}

# reads TEXT [STATUS PATTERN]: a restore of what `works` has stored.
reads() {
  rm -f "$eof" "$work/restored"
  restore -v -- sh -c 'cat >"$1" && : >"$2"' sh "$work/restored" "$eof"
  check_status "${2:-0}"
  if [ "${2:-0}" -eq 0 ]; then
    cmp -s "$work/data" "$work/restored" || problem "what was restored is not what was backed up"
    [ -e "$eof" ] || problem "stdin was not ended"
  else
    check_no_eof
    check_said "$3"
  fi
  check_gone
  check_private
  conclude "$1"
}

noise 12000000 >"$work/noise"
quick=(cat "$work/noise")
slow=(sh -c 'cat "$1"; sleep 600' sh "$work/noise")

port=$(free_port)
start_server
directly

# ---- sizes and keys

part=5242880
for size in 0 1 "$part" $((part + 1)) 30000000; do
  noise "$size" >"$work/data"
  works "a backup of $size bytes"
  reads "a restore of $size bytes"
done

noise 20000000 >"$work/data"
s3 "127.0.0.1:$port" --param maxParts=3
works "a stream through three parts"
reads "and its restore"
directly
noise 21000000 >"$work/data"
rm -rf "$store/k"
fails "a stream that three parts cannot hold" 1 'longer than 20971520 bytes.*partSize' --param maxParts=3 -- cat "$work/data"

for key in 'sp ace' 'umläut/ключ/鍵' 'pl+us' 'til~de' 'query?x=1&y=2#z' 'pct%20x' "quote'\"<&>" 'a:b,c;d@e!f$g(h)*' 'trailing/slash=/x'; do
  run backup "${storage[@]}" "${common[@]}" --compress none --key "$key" -- printf %s "$key"
  check_status 0
  [ "$(cat "$store/$key" 2>/dev/null)" = "$key" ] || problem "there is no object of that name on the server"
  run cat "${storage[@]}" "${common[@]}" --key "$key"
  check_status 0
  [ "$(cat "$work/out")" = "$key" ] || problem "it reads: $(cat "$work/out")"
  run list "${storage[@]}" --prefix "$key"
  grep -qF -- "  $key" "$work/out" || problem "the listing does not have it"
  conclude "the key $key"
done

rm -rf "${store:?}"/*
for number in $(seq -w 1 25); do
  (cd "$store" && mkdir -p many && printf x >"many/$number")
done
run list "${storage[@]}"
[ "$(grep -c ' many/' "$work/out")" -eq 25 ] || problem "$(grep -c ' many/' "$work/out") of 25 keys are listed"
run list "${storage[@]}" --param prefix=many --prefix 1
[ "$(awk '{ print $NF }' "$work/out" | tr '\n' ' ')" = "$(seq -s ' ' 10 19) " ] || problem "it lists $(tr '\n' ' ' <"$work/out")"
conclude "listings, whole and below a prefix"
rm -rf "${store:?}"/*

# ---- refused

noise 1000000 >"$work/data"
printf wrong >"$work/wrong"
fails "a wrong secret key" 1 'SignatureDoesNotMatch.*check the secret' --param secretKey=w --secret-file "w=$work/wrong" -- "${quick[@]}"
fails "an unknown access key" 1 'access key' --param accessKey=w --secret-file "w=$work/wrong" -- "${quick[@]}"
fails "a key that the secret does not have" 2 'has no entry nowhere' --param secretKey=nowhere -- "${quick[@]}"
fails "a wrong region" 2 'set the parameter region' --param region=eu-west-1 -- "${quick[@]}"
s3 "127.0.0.1:$port"
storage=("${storage[@]/bucket=backups/bucket=nowhere}")
fails "a bucket that does not exist" 1 'NoSuchBucket.*create it' -- "${quick[@]}"
s3 "127.0.0.1:$(free_port)"
fails "nobody listens" 1 'connect' -- "${quick[@]}"
directly
works "something to be kept"
fails "ifNoneMatch: an object is there already" 1 'ifNoneMatch' --param ifNoneMatch=true -- "${quick[@]}"
fails "a command that fails leaves what was there, and no upload" 1 'exited with status 3' -- sh -c 'cat "$1"; exit 3' sh "$work/noise"
cmp -s "$work/data" "$store/k" || problem "the object was harmed"
fails "a deadline" 1 'deadline' --deadline 2s -- "${slow[@]}"

# ---- the network and the server fail in passing

noise 12000000 >"$work/data"
for fault in part:500:2 part:503:3 part:reset:2 part:lost:2 part:hang complete:500 complete:503:2 complete:reset complete:lost \
  complete:error200 complete:short head:500 head:lost create:500 create:503 create:lost abort:500; do
  through "$fault"
  works "a backup in which $fault happens"
done
for fault in complete:lost:2 part:lost:5; do
  through "$fault"
  works "a backup in which $fault happens"
done

through get:503 get:reset
reads "a restore whose first requests fail"
for fault in get:cut get:cut:3 get:short get:lost; do
  through "$fault"
  reads "a restore in which $fault happens"
done
through get:hang
reads "a restore in which the server falls silent"

# ---- and for good

for fault in create:403 part:403 part:404 complete:403 part:307 part:noetag create:nonsense complete:nonsense; do
  rm -rf "$store/k"
  through "$fault:0"
  fails "a backup in which $fault happens for good" 1 'FAILED k: storage: ' -- "${quick[@]}"
  [[ $fault != *403 ]] || { check_not_repeated "${fault%:*}" && check_said 'ExpiredToken.*renew'; }
done
for fault in part:500 part:lost complete:500; do
  rm -rf "$store/k"
  through "$fault:0"
  fails "a backup in which $fault happens for good" 1 'FAILED k: storage: ' -- "${quick[@]}"
  check_tried "${fault%:*}" 4
done
conclude "what may pass is repeated, and what may not is not"
rm -rf "$store/k"
through complete:lost:0 head:500:0
backup --compress none -- cat "$work/data"
check_status 4
check_said 'may exist'
check_gone
conclude "a commit whose answer is lost, on a server that cannot be asked: undecided, and said so"
directly
run sweep "${storage[@]}" --older-than 0s
rm -rf "$store/k" "$work/state"
mkdir "$work/state"

through head:403:0
works "a policy that forbids to ask for an object"
through get:403:0
reads "a restore that is forbidden" 1 ExpiredToken

# ---- the server is killed

directly
rm -rf "$store/k"
start backup "${storage[@]}" "${common[@]}" --compress none --key k --env BO_TEST_MARK -- \
  sh -c 'cat "$1"; sleep 3; cat "$1"' sh "$work/noise"
sleep 1.5
kill_server
sleep 1
start_server
wait "$pid"
status=$?
check_status 0
[ "$(sha256sum <"$store/k")" = "$(cat "$work/noise" "$work/noise" | sha256sum)" ] || problem "the object is not whole"
check_gone
check_no_uploads
conclude "the server is killed and started again in the middle of a backup"

# More than all the buffers on its way hold.
noise 100000000 >"$work/data"
works "a larger backup"
rm -f "$eof" "$work/restored"
start restore -v "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK -- \
  sh -c 'head -c 1000000 >"$1"; sleep 3; cat >>"$1" && : >"$2"' sh "$work/restored" "$eof"
sleep 1.5
kill_server
sleep 1
start_server
wait "$pid"
status=$?
check_status 0
cmp -s "$work/data" "$work/restored" || problem "what was restored is not what was backed up"
check_said 'get_read.* = (retry|again)|get_open\(k, [1-9]'
check_gone
conclude "the server is killed and started again in the middle of a restore"

start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK -- \
  sh -c 'head -c 1000000 >/dev/null; sleep 3; cat >/dev/null && : >"$1"' sh "$eof.2"
sleep 1.5
kill_server
(cd "$store" && noise 100000001 | tail -c 100000000 >k.new; mv k.new k)
start_server
wait "$pid"
status=$?
check_status 3
check_said "changed since"
[ ! -e "$eof.2" ] || problem "the command's stdin was ended as if all had come"
check_gone
conclude "an object that is replaced while it is read"

# ---- the run is killed

rm -rf "$store/k"
start backup "${storage[@]}" "${common[@]}" --compress none --key k --env BO_TEST_MARK -- "${slow[@]}"
sleep 2
kill -KILL "$pid" $(pgrep -P "$pid")
wait "$pid" 2>/dev/null
check_gone 10
run sweep "${storage[@]}" --older-than 1h
check_status 0
run sweep "${storage[@]}" --older-than 0s
check_status 0
check_no_uploads
check_no_key
conclude "what killed programs leave is swept"

# ---- the contract of its kind, rule by rule, on the real server

directly
conformance=("$build/bin/plugin-conformance" --wrong bucket=nowhere)
for argument in "${storage[@]:2}"; do
  [ "$argument" = --secret-file ] && argument=--secret
  conformance+=("$argument")
done
"${conformance[@]}" --param 'prefix={tmp}' "$build/plugins/storage-s3.so" >"$work/out" 2>&1 </dev/null
status=$?
check_status 0
grep -E -A8 '^BROKEN' "$work/out" >"$work/err"
: >"$work/out"
conclude "plugin-conformance: every rule holds"
