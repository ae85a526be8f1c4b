# shellcheck shell=bash disable=SC2154 # what these functions use is set in scripts/test-servers
# The servers as processes of this machine, sourced by scripts/test-servers. For each: a pid, a port, a log in $run.

local_start() {
  local server
  has java "a JDK, version 17 or later" || exit 1
  for server in "${servers[@]}"; do
    local_alive "$server" && continue
    choose_port "$server"
    [[ $server != etcd ]] || choose_port etcd-peer
    say "$server: starting"
    "launch_$(kind_of "$server")" "$server"
  done
}

kind_of() {
  case $1 in
    dynamodb | etcd) echo "$1" ;;
    *) echo apiserver ;;
  esac
}

launch_dynamodb() {
  spawn "$1" java -Xmx512m -Djava.library.path="$home/dynamodb/lib" \
    -cp "$home/dynamodb/classes:$home/dynamodb/lib/*" LoopbackMain \
    -inMemory -sharedDb -disableTelemetry -port "$(port_of "$1")"
}

# One etcd for all clusters, each under a prefix of its own. It need not survive the machine: no fsync.
launch_etcd() {
  local peer
  peer=http://127.0.0.1:$(port_of etcd-peer)
  spawn "$1" "$home/bin/etcd" --data-dir="$run/etcd" --unsafe-no-fsync --log-level=warn \
    --quota-backend-bytes=$((8 << 30)) \
    --listen-client-urls="$(local_endpoint etcd)" --advertise-client-urls="$(local_endpoint etcd)" \
    --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="default=$peer"
}

launch_apiserver() {
  local flags
  apiserver_flags "$run" "$(local_endpoint etcd)"
  spawn "$1" "$home/bin/kube-apiserver" "${flags[@]}" --bind-address=127.0.0.1 --secure-port="$(port_of "$1")" \
    --etcd-prefix="/$1" --audit-log-path="$run/$1/audit.log"
}

# In a process group of its own: an interrupt at the terminal is for the tests, not for the servers.
# Without descriptor 9: it would keep this script's lock for as long as the server lives.
spawn() {
  local server=$1
  shift
  set -m
  "$@" </dev/null >>"$run/logs/$server.log" 2>&1 9>&- &
  set +m
  echo $! >"$run/$server.pid"
}

# A number that another process has got since is not ours; ours names our folder.
local_alive() {
  local pid
  pid=$(cat "$run/$1.pid" 2>/dev/null) || return 1
  [[ $(ps -ww -o args= -p "$pid" 2>/dev/null) == *"$home"* ]]
}

local_endpoint() {
  case $(kind_of "$1") in
    apiserver) echo "https://127.0.0.1:$(port_of "$1")" ;;
    *) echo "http://127.0.0.1:$(port_of "$1")" ;;
  esac
}

local_log() { tail -n 20 "$run/logs/$1.log"; }

# Nothing of theirs is kept, so nothing needs a graceful end.
local_stop() {
  local server deadline=$((SECONDS + 20))
  for server in "${servers[@]}"; do
    ! local_alive "$server" || kill -KILL "$(cat "$run/$server.pid")"
  done
  while any_alive; do
    ((SECONDS < deadline)) || die "a server outlived SIGKILL for 20 s: see the pid files in $run"
    sleep 0.1
  done
}

port_of() { cat "$run/$1.port" 2>/dev/null || echo '?'; }

# A server that died comes back where it was, as long as nobody has taken the port.
choose_port() {
  local file=$run/$1.port port
  if [[ -e $file ]] && ! is_listening "$(<"$file")"; then
    return
  fi
  rm -f "$file"
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 12000)) # below the range from which systems give out ports by themselves
    if ! is_listening "$port" && ! grep -qsx "$port" "$run"/*.port; then
      echo "$port" >"$file"
      return
    fi
  done
  die "no free port found between 20000 and 32000"
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
