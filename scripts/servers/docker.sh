# shellcheck shell=bash disable=SC2154 # what these functions use is set in scripts/test-servers
# The servers as containers (docker-compose.yml), sourced by scripts/test-servers.

go_image=golang:1.26

docker_start() {
  compose up --detach
}

docker_stop() {
  compose down --volumes --timeout 0
}

docker_alive() {
  [[ -n $(compose ps --quiet --status running "$(service_of "$1")" 2>/dev/null) ]]
}

docker_log() { compose logs --no-color --tail 20 "$(service_of "$1")"; }

docker_endpoint() {
  case $1 in
    dynamodb) echo "http://$(published dynamodb 8000)" ;;
    etcd) echo "inside docker" ;;
    *) echo "https://$(published "apiserver-$1" 6443)" ;;
  esac
}

published() { compose port "$1" "$2" 2>/dev/null || echo '?'; }

service_of() {
  case $1 in
    dynamodb | etcd) echo "$1" ;;
    *) echo "apiserver-$1" ;;
  esac
}

# Two checkouts get two projects. The servers run as the caller, who can then read the audit logs.
compose() {
  local flags project
  project=flagship-$(printf %s "$home" | cksum | cut -d ' ' -f 1)
  apiserver_flags /run/flagship http://etcd:2379
  TEST_SERVERS_RUN=$run TEST_SERVERS_USER=$(id -u):$(id -g) TEST_SERVERS_FLAGS=${flags[*]} \
    docker compose --project-name "$project" --file "$root/docker-compose.yml" "$@"
}

# For a machine without Go: builds in a container for the system outside it.
in_go_container() {
  mkdir -p "$home/go-cache"
  docker run --rm --user "$(id -u):$(id -g)" \
    --volume "$root/scripts/servers:/src:ro" --volume "$home:/out" \
    --env GOFLAGS=-modcacherw --env GOMODCACHE=/out/go-cache/mod --env GOCACHE=/out/go-cache/build \
    --env GOOS="$(uname -s | tr '[:upper:]' '[:lower:]')" --env GOARCH="$(go_arch)" \
    "$go_image" "$@"
}

go_arch() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
  esac
}
