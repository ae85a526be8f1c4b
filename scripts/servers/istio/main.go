// Istio-judge says what Istio makes of networking.istio.io objects, by istiod's own code.
//
//	istio-judge accept [file|directory|-]...
//	istio-judge route [-locality REGION/ZONE] [-namespace NAME] [file|directory|-]...
//
// Accept judges each object as istiod's admission webhook does, and refuses unknown fields on top, which the
// webhook leaves to the API server. Exit status: 0 all accepted, 1 some refused, 2 unreadable input or no object
// in it.
//
// Route takes the objects of one cluster and prints, as JSON, where istiod would send a sidecar there: every
// outbound cluster with its endpoints, their localities, priorities and weights. Exit status: 0, or 2 if the input
// is unreadable, refused or empty.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const group = "networking.istio.io"

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("a command is missing: accept or route"))
	}
	command, arguments := os.Args[1], os.Args[2:]
	switch command {
	case "accept":
		accept(arguments)
	case "route":
		route(arguments)
	default:
		fail(fmt.Errorf("unknown command %q: accept or route", command))
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "istio-judge: %v\n", err)
	os.Exit(2)
}

// document is one Kubernetes object, as it was read.
type document struct {
	metav1.TypeMeta
	Metadata struct{ Name, Namespace string }
	file     string
	raw      json.RawMessage
}

func (d document) String() string {
	return fmt.Sprintf("%s: %s %s/%s", d.file, d.Kind, d.Metadata.Namespace, d.Metadata.Name)
}

func (d document) isIstio() bool {
	return d.GroupVersionKind().Group == group
}

// readAll hands every object of the sources to visit, those inside of lists too.
func readAll(sources []string, visit func(document) error) error {
	if len(sources) == 0 {
		sources = []string{"-"}
	}
	for _, source := range sources {
		if err := readSource(source, visit); err != nil {
			return err
		}
	}
	return nil
}

func readSource(source string, visit func(document) error) error {
	if source == "-" {
		return readDocuments("stdin", os.Stdin, visit)
	}
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || (path != source && !hasManifestSuffix(path)) {
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return readDocuments(path, file, visit)
	})
}

func hasManifestSuffix(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func readDocuments(file string, input io.Reader, visit func(document) error) error {
	documents := kubeyaml.NewYAMLOrJSONDecoder(input, 4096)
	for {
		var raw json.RawMessage
		err := documents.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = readDocument(file, raw, visit)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
}

func readDocument(file string, raw json.RawMessage, visit func(document) error) error {
	if text := strings.TrimSpace(string(raw)); text == "" || text == "null" {
		return nil
	}
	read := document{file: file, raw: raw}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err
	}
	if !strings.HasSuffix(read.Kind, "List") {
		return visit(read)
	}
	// A list, as `kubectl get -o yaml` prints it.
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if err := readDocument(file, item, visit); err != nil {
			return err
		}
	}
	return nil
}
