# shellcheck shell=bash disable=SC2154 # what these functions use is set in scripts/test-servers
# What makes three API servers three clusters, sourced by scripts/test-servers: credentials, flags, CRDs, namespaces.

make_credentials() {
  local pki=$run/pki
  mkdir -p "$pki"
  make_certificates "$pki" >"$run/logs/openssl.log" 2>&1 || die "openssl made no certificates: see $run/logs/openssl.log"
  openssl rand -hex 16 >"$pki/admin.token"
  openssl rand -hex 16 >"$pki/restricted.token"
  {
    echo "$(<"$pki/admin.token"),admin,admin,system:masters"
    echo "$(<"$pki/restricted.token"),flagship,flagship,flagship"
  } >"$pki/tokens.csv"
}

# An authority and a server certificate under it: strict clients refuse one certificate that is both.
make_certificates() {
  local pki=$1
  printf 'subjectAltName=IP:127.0.0.1,DNS:localhost%s\n' "$(printf ',DNS:apiserver-%s' "${clusters[@]}")" >"$pki/server.ext"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=flagship-test-ca \
    -keyout "$pki/ca.key" -out "$pki/ca.crt" &&
    openssl req -newkey rsa:2048 -nodes -subj /CN=flagship-test-server \
      -keyout "$pki/server.key" -out "$pki/server.csr" &&
    openssl x509 -req -days 3650 -in "$pki/server.csr" -extfile "$pki/server.ext" \
      -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -out "$pki/server.crt"
}

# What all API servers are told, into the array `flags`: $1 is where they find $run, $2 where etcd answers.
apiserver_flags() {
  local run=$1 etcd=$2
  # shellcheck disable=SC2034 # the caller reads it
  flags=(
    --etcd-servers="$etcd"
    --endpoint-reconciler-type=none
    --service-cluster-ip-range=10.96.0.0/16
    --authorization-mode=RBAC
    --token-auth-file="$run/pki/tokens.csv"
    --client-ca-file="$run/pki/ca.crt"
    --tls-cert-file="$run/pki/server.crt"
    --tls-private-key-file="$run/pki/server.key"
    --service-account-issuer=https://kubernetes.default.svc
    --service-account-key-file="$run/pki/server.key"
    --service-account-signing-key-file="$run/pki/server.key"
    # no controller-manager runs here that would create the service accounts
    --disable-admission-plugins=ServiceAccount
    --audit-policy-file="$run/audit-policy.yaml"
    # in MB; a rotation in the middle of a test would hide what it looks for
    --audit-log-maxsize=10240
  )
}

furnish_all() {
  local crds=$run/crds cluster
  gather_crds "$crds"
  for cluster in "${clusters[@]}"; do
    write_kubeconfig "$cluster" admin "$run/$cluster/$cluster.kubeconfig"
    write_kubeconfig "$cluster" restricted "$run/$cluster/restricted.kubeconfig"
    furnish "$cluster" "$crds"
  done
  for cluster in "${clusters[@]}"; do
    wait_established "$cluster" "$crds"
  done
}

# Istio's CRDs and, once the checkout has some, the project's own.
gather_crds() {
  local own=$root/infra/crds file
  rm -rf "$1"
  cp -R "$home/crds" "$1"
  for file in "$own"/*.yaml "$own"/*.yml; do
    [[ ! -e $file ]] || awk -v dir="$1" -f "$root/scripts/servers/split-crds.awk" "$file"
  done
}

# No file paths inside: the tests also put these into Secrets.
write_kubeconfig() {
  local cluster=$1 user=$2
  cat >"$3" <<EOF
apiVersion: v1
kind: Config
current-context: $cluster
contexts:
  - name: $cluster
    context: {cluster: $cluster, user: $user}
clusters:
  - name: $cluster
    cluster:
      server: $("${mode}_endpoint" "$cluster")
      certificate-authority-data: $(openssl base64 -A -in "$run/pki/ca.crt")
users:
  - name: $user
    user: {token: $(<"$run/pki/$user.token")}
EOF
}

furnish() {
  local cluster=$1 file namespace
  for file in "$2"/*.yaml; do
    apply "$cluster" "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/$(basename "$file" .yaml)" "@$file"
  done
  for namespace in "${namespaces[@]}"; do
    apply "$cluster" "/api/v1/namespaces/$namespace" \
      "{apiVersion: v1, kind: Namespace, metadata: {name: $namespace}}"
  done
}

apply() {
  local answer
  answer=$(api "$1" "$2?fieldManager=test-servers&force=true" -X PATCH \
    -H 'Content-Type: application/apply-patch+yaml' --data-binary "$3") ||
    die "$1 refused $2: $answer"
}

api() {
  local cluster=$1 path=$2
  shift 2
  curl -sS --fail-with-body --max-time 30 --cacert "$run/pki/ca.crt" \
    -H "Authorization: Bearer $(<"$run/pki/admin.token")" "$@" "$("${mode}_endpoint" "$cluster")$path"
}

# A CRD is served a moment after it was accepted.
wait_established() {
  local deadline=$((SECONDS + ready_within_s)) wanted
  wanted=$(find "$2" -name '*.yaml' | wc -l)
  until (($(count_established "$1") >= wanted)); do
    ((SECONDS < deadline)) || die "$1 did not establish its $wanted CRDs within $ready_within_s s"
    sleep 0.2
  done
}

count_established() {
  api "$1" '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?pretty=false' |
    grep -o '"type":"Established","status":"True"' | wc -l
}
