package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
)

func accept(sources []string) {
	var objects, refused, skipped int
	err := readAll(sources, func(read document) error {
		if !read.isIstio() {
			skipped++
			return nil
		}
		objects++
		if _, err := understand(read.raw); err != nil {
			refused++
			fmt.Printf("%v: %s\n", read, oneLine(err))
		}
		return nil
	})
	if err != nil {
		fail(err)
	}
	fmt.Printf("%d objects, %d refused\n", objects, refused)
	if skipped > 0 {
		fmt.Printf("other documents skipped: %d\n", skipped)
	}
	switch {
	case objects == 0:
		fail(fmt.Errorf("no %s object in the input", group))
	case refused > 0:
		os.Exit(1)
	}
}

// understand takes the steps of istiod's webhook, with strict decoding in place of lenient.
func understand(raw []byte) (*config.Config, error) {
	var object crd.IstioKind
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	object.Status = nil // istiod does not judge it
	if object.Namespace == "" {
		object.Namespace = metav1.NamespaceDefault
	}
	gvk := object.GroupVersionKind()
	schema, known := collections.Pilot.FindByGroupVersionAliasesKind(resource.FromKubernetesGVK(&gvk))
	if !known {
		return nil, fmt.Errorf("unrecognized type %v", gvk)
	}
	converted, err := crd.ConvertObjectInternal(schema, &object, constants.DefaultClusterLocalDomain, fromStrictJSON)
	if err != nil {
		return nil, err
	}
	if _, err = schema.ValidateConfig(*converted); err != nil {
		return nil, err
	}
	return converted, nil
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
