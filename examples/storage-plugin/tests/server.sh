# tests/server.sh - an SSH server for tests, for the user who runs them. Sourced, not run.
#
#   start_server [FAULTY]   then $port is its port, $server its folder with: key (to log in with), host_key.pub, store/.
#                           FAULTY: the program that goes wrong (faulty_server.c), told by $server/faults
#   stop_server             ends it by its process id, and removes the folder

sftp_server=/usr/lib/openssh/sftp-server

# Whether the server answers with its name.
server_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port" && read -r -t 2 line <&3 && [[ $line == SSH-* ]]) 2>/dev/null; }

start_server() {
  local faulty=${1:-} try
  server=$(mktemp -d)
  mkdir "$server/store"
  [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd # where root's sshd separates its privileges
  ssh-keygen -q -t ed25519 -N '' -f "$server/host_key"
  ssh-keygen -q -t ed25519 -N '' -f "$server/key"
  cp "$server/key.pub" "$server/authorized_keys"
  cat >"$server/sshd_config" <<END
ListenAddress 127.0.0.1
HostKey $server/host_key
AuthorizedKeysFile $server/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
RekeyLimit 4M
Subsystem sftp ${faulty:+$faulty }$sftp_server${faulty:+ $server/faults}
END
  # A free port cannot be reserved: another one is tried when somebody was faster.
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 20000))
    "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -p "$port" -f "$server/sshd_config" 2>"$server/log" &
    server_pid=$!
    for _ in $(seq 100); do
      server_answers && kill -0 "$server_pid" 2>/dev/null && return 0
      kill -0 "$server_pid" 2>/dev/null || break
      sleep 0.1
    done
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  done
  echo "Bail out! no SSH server starts here: $(tail -n 3 "$server/log")"
  rm -rf "$server"
  exit 1
}

stop_server() {
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  rm -rf "$server"
}
