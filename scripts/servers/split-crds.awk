# One file for each CustomResourceDefinition of a YAML stream, named after it, because the API takes them one
# at a time: awk -v dir=DIR -f split-crds.awk FILE... Other documents are left out; none at all is an error.
function finish() {
  if (is_crd && name != "") {
    file = dir "/" name ".yaml"
    printf "%s", text > file
    close(file)
    found++
  }
  text = name = ""
  is_crd = 0
}
FNR == 1 || /^---/ { finish() }
/^---/ { next }
/^kind: *CustomResourceDefinition *$/ { is_crd = 1 }
/^  name: / && name == "" { name = $2; gsub(/["']/, "", name) }
{ text = text $0 "\n" }
END {
  finish()
  if (!found) {
    print "split-crds: no CustomResourceDefinition in " FILENAME > "/dev/stderr"
    exit 1
  }
}
