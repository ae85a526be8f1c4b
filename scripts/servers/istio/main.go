// Istio-validate judges networking.istio.io objects as istiod's admission webhook does, by istiod's own
// code, and on top of that refuses unknown fields, which the webhook leaves to the API server.
//
//	istio-validate [file|directory|-]...
//
// Exit status: 0 all accepted, 1 some refused, 2 unreadable input or no object in it.
package main

import (
	"bytes"
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

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
)

const group = "networking.istio.io"

// verdict is what a run says in total.
type verdict struct {
	objects, refused, skipped int
}

func main() {
	var v verdict
	sources := os.Args[1:]
	if len(sources) == 0 {
		sources = []string{"-"}
	}
	for _, source := range sources {
		if err := v.judgeSource(source); err != nil {
			fmt.Fprintf(os.Stderr, "istio-validate: %v\n", err)
			os.Exit(2)
		}
	}
	os.Exit(v.report())
}

func (v *verdict) report() int {
	fmt.Printf("%d objects, %d refused\n", v.objects, v.refused)
	if v.skipped > 0 {
		fmt.Printf("other documents skipped: %d\n", v.skipped)
	}
	switch {
	case v.objects == 0:
		fmt.Fprintf(os.Stderr, "istio-validate: no %s object in the input\n", group)
		return 2
	case v.refused > 0:
		return 1
	}
	return 0
}

func (v *verdict) judgeSource(source string) error {
	if source == "-" {
		return v.judgeDocuments("stdin", os.Stdin)
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
		return v.judgeDocuments(path, file)
	})
}

func hasManifestSuffix(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (v *verdict) judgeDocuments(file string, input io.Reader) error {
	documents := kubeyaml.NewYAMLOrJSONDecoder(input, 4096)
	for {
		var document json.RawMessage
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := v.judgeDocument(file, document); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
}

func (v *verdict) judgeDocument(file string, document json.RawMessage) error {
	if document = bytes.TrimSpace(document); len(document) == 0 || bytes.Equal(document, []byte("null")) {
		return nil
	}
	var head struct {
		metav1.TypeMeta
		Metadata struct{ Name, Namespace string }
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return err
	}
	if strings.HasSuffix(head.Kind, "List") {
		return v.judgeList(file, document)
	}
	if head.GroupVersionKind().Group != group {
		v.skipped++
		return nil
	}
	v.objects++
	if err := judgeObject(document); err != nil {
		v.refused++
		name := head.Metadata.Namespace + "/" + head.Metadata.Name
		fmt.Printf("%s: %s %s: %s\n", file, head.Kind, name, oneLine(err))
	}
	return nil
}

// judgeList opens a list, as `kubectl get -o yaml` prints it.
func (v *verdict) judgeList(file string, document json.RawMessage) error {
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(document, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if err := v.judgeDocument(file, item); err != nil {
			return err
		}
	}
	return nil
}

// judgeObject takes the steps of istiod's webhook, with strict decoding in place of lenient.
func judgeObject(document []byte) error {
	var object crd.IstioKind
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		return err
	}
	object.Status = nil // istiod does not judge it
	if object.Namespace == "" {
		object.Namespace = metav1.NamespaceDefault
	}
	gvk := object.GroupVersionKind()
	schema, known := collections.Pilot.FindByGroupVersionAliasesKind(resource.FromKubernetesGVK(&gvk))
	if !known {
		return fmt.Errorf("unrecognized type %v", gvk)
	}
	converted, err := crd.ConvertObjectInternal(schema, &object, constants.DefaultClusterLocalDomain, fromStrictJSON)
	if err != nil {
		return err
	}
	_, err = schema.ValidateConfig(*converted)
	return err
}

func fromStrictJSON(schema resource.Schema, js string) (config.Spec, error) {
	spec, err := schema.NewInstance()
	if err != nil {
		return nil, err
	}
	return spec, config.ApplyJSONStrict(spec, js)
}

// oneLine joins the lines of a multierror, so that a refusal is one line to grep.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
