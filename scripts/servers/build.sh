# shellcheck shell=bash disable=SC2154 # what these functions use is set in scripts/test-servers
# Fetching and building, sourced by scripts/test-servers. A step whose inputs have not changed since it last
# succeeded is skipped; one that was interrupted goes on from what Go's and Maven's own caches have kept.

local_build() {
  local missing=0
  need_for dynamodb mvn "Apache Maven 3.8 or later" || missing=1
  need_for dynamodb javac "a JDK, version 17 or later" || missing=1
  need_for kube go "Go 1.26 or later" || missing=1
  ((missing == 0)) || die "install what is missing, or start a Docker engine, and build again"
  step dynamodb "half a minute" "$root/scripts/servers/dynamodb/build" "$home"
  step istio "1-8 minutes" "$root/scripts/servers/istio/build" "$home"
  step kube "5-12 minutes" "$root/scripts/servers/kube/build" "$home"
}

docker_build() {
  if command -v go >/dev/null; then
    step istio "1-8 minutes" "$root/scripts/servers/istio/build" "$home"
  else
    step istio "1-8 minutes" in_go_container /src/istio/build /out
  fi
  say "images: pulling those that are missing"
  compose pull --quiet --policy missing
}

is_built() {
  is_fresh istio || return 1
  [[ $mode == docker ]] || { is_fresh dynamodb && is_fresh kube; }
}

# step NAME TAKES COMMAND...: runs the command unless what it would make is there.
step() {
  local name=$1 takes=$2 status=0
  local log=$home/logs/build-$name.log
  shift 2
  if is_fresh "$name"; then
    say "$name: built before"
    return
  fi
  say "$name: building ($takes with cold caches)"
  rm -f "$home/$name.stamp"
  heartbeat "$name" &
  local beat=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$beat" 2>/dev/null || true
  wait "$beat" 2>/dev/null || true
  if ((status != 0)); then
    tail -n 20 "$log" >&2
    die "$name did not build; all it said is in $log"
  fi
  fingerprint "$name" >"$home/$name.stamp"
  say "$name: done"
}

# Go is silent while it compiles: a line every half minute says that it still does. The sleep outlives the
# heartbeat, and must hold neither the lock nor our output.
heartbeat() {
  while sleep 30 >/dev/null 2>&1 9>&- && kill -0 $$ 2>/dev/null; do
    say "$1: still building"
  done
}

is_fresh() {
  local output
  while IFS= read -r output; do
    [[ -e $home/$output ]] || return 1
  done < <(outputs_of "$1")
  [[ $(cat "$home/$1.stamp" 2>/dev/null) == "$(fingerprint "$1")" ]]
}

outputs_of() {
  case $1 in
    dynamodb) printf '%s\n' dynamodb/classes/LoopbackMain.class ;;
    istio) printf '%s\n' bin/istio-judge crds/serviceentries.networking.istio.io.yaml ;;
    kube) printf '%s\n' bin/kube-apiserver bin/etcd ;;
  esac
}

fingerprint() (
  cd "$root/scripts/servers/$1" || exit
  case $1 in
    dynamodb) cat build pom.xml LoopbackMain.java ;;
    istio) cat build go.mod go.sum ./*.go ../split-crds.awk ;;
    kube) cat build go.mod go.sum ;;
  esac | cksum
)

# A tool is asked for only when the step that uses it has something to do.
need_for() { is_fresh "$1" || has "$2" "$3"; }

has() {
  command -v "$1" >/dev/null && return
  printf 'test-servers: %s is missing: install %s\n' "$1" "$2" >&2
  return 1
}
