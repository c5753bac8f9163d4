#!/usr/bin/env bash
# What a careful reader tried in order to be told something untrue: options that would have been ignored, proofs that
# nobody had, files that were not to be replaced, waits without an end.
. "$(dirname "$0")/lib.sh"
use_faulty_plugins

# ---- an option without a meaning is refused, not ignored

echo 'a passphrase' >"$work/pass"
# refused TEXT PATTERN ARG...
refused() {
  local text=$1 pattern=$2
  shift 2
  remember_files
  run "$@"
  check_status 2
  check_said "$pattern"
  check_files
  conclude "$text"
}
refused "a backup with a passphrase, which would be in the clear" 'backup takes no --passphrase-file' \
  backup "${storage[@]}" "${common[@]}" --key k --passphrase-file "$work/pass" -- echo data
refused "a backup with an identity" 'backup takes no --identity' \
  backup "${storage[@]}" "${common[@]}" --key k --identity "$work/pass" -- echo data
refused "a restore with a recipient" 'restore takes no --recipient' \
  restore "${storage[@]}" "${common[@]}" --key k --recipient age1x -- cat
refused "sweep of all, where one key was meant" 'sweep takes no --key' sweep "${storage[@]}" --key k

cat >"$work/run.yaml" <<END
apiVersion: backup-operator.io/v1
kind: BackupStorage
metadata: {name: here}
spec: {type: file, parameters: {path: "$store"}}
---
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata: {name: one, namespace: default}
spec:
  storage: {name: here, path: /one}
  backup: {command: [echo, data]}
  template: {spec: {containers: [{name: main}]}}
END
for option in '--recipient age1x' '--compress none' '--key k' '--env A=B' '--no-record'; do
  refused "-f and $option" "with -f .* no place for ${option% *}" backup -f "$work/run.yaml" "${common[@]}" $option
done
refused "-f and a command" 'no place for a command' backup -f "$work/run.yaml" "${common[@]}" -- echo data
