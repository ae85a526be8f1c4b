package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/networking/util"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
)

// destination is one outbound cluster of a proxy.
type destination struct {
	Host   string `json:"host"`
	Port   int    `json:"port"`
	Subset string `json:"subset,omitempty"`
	// Discovery is how the proxy learns of the endpoints: STRICT_DNS, EDS, ...
	Discovery string `json:"discovery"`
	// FailsOver: endpoints are ejected, so that the next priority gets its turn.
	FailsOver bool `json:"failsOver"`
	// ByLocality: the weights of the localities count.
	ByLocality bool       `json:"byLocality"`
	Endpoints  []endpoint `json:"endpoints"`
}

type endpoint struct {
	Address  string `json:"address"`
	Port     uint32 `json:"port"`
	Locality string `json:"locality"`
	// Priority: 0 is used as long as enough of it is healthy.
	Priority       uint32 `json:"priority"`
	LocalityWeight uint32 `json:"localityWeight"`
	Weight         uint32 `json:"weight"`
}

func route(arguments []string) {
	flags := flag.NewFlagSet("route", flag.ExitOnError)
	locality := flags.String("locality", "", "`REGION/ZONE` of the client")
	namespace := flags.String("namespace", "default", "`NAME` of the client's namespace")
	_ = flags.Parse(arguments)
	if err := silence(); err != nil {
		fail(err)
	}
	configs, err := understandAll(flags.Args())
	if err != nil {
		fail(err)
	}
	var destinations []destination
	err = test.Wrap(func(t test.Failer) {
		destinations = destinationsOf(t, configs, &model.Proxy{
			Locality:        util.ConvertLocality(*locality),
			ConfigNamespace: *namespace,
		})
	})
	if err != nil {
		fail(err)
	}
	output := json.NewEncoder(os.Stdout)
	output.SetIndent("", "  ")
	if err := output.Encode(destinations); err != nil {
		fail(err)
	}
}

// silence keeps istiod's log off the output.
func silence() error {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.ErrorLevel)
	return log.Configure(options)
}

func understandAll(sources []string) ([]config.Config, error) {
	var configs []config.Config
	err := readAll(sources, func(read document) error {
		if !read.isIstio() {
			return nil
		}
		understood, err := understand(read.raw)
		if err != nil {
			return fmt.Errorf("%v: %s", read, oneLine(err))
		}
		configs = append(configs, *understood)
		return nil
	})
	if err == nil && len(configs) == 0 {
		err = fmt.Errorf("no %s object in the input", group)
	}
	return configs, err
}

// destinationsOf generates what istiod would push to the proxy: clusters, and the endpoints of those that ask for
// them.
func destinationsOf(t test.Failer, configs []config.Config, proxy *model.Proxy) []destination {
	istiod := core.NewConfigGenTest(t, core.TestOptions{Configs: configs})
	proxy = istiod.SetupProxy(proxy)
	destinations := []destination{}
	for _, cluster := range istiod.Clusters(proxy) {
		direction, subset, host, port := model.ParseSubsetKey(cluster.Name)
		if direction != model.TrafficDirectionOutbound {
			continue
		}
		load := cluster.LoadAssignment
		if cluster.GetType() == clusterv3.Cluster_EDS {
			builder := endpoints.NewEndpointBuilder(cluster.Name, proxy, istiod.PushContext())
			load = builder.BuildClusterLoadAssignment(istiod.Env().EndpointIndex)
		}
		destinations = append(destinations, destination{
			Host:       string(host),
			Port:       port,
			Subset:     subset,
			Discovery:  cluster.GetType().String(),
			FailsOver:  cluster.OutlierDetection != nil,
			ByLocality: cluster.GetCommonLbConfig().GetLocalityWeightedLbConfig() != nil,
			Endpoints:  endpointsOf(load),
		})
	}
	return destinations
}

func endpointsOf(load *endpointv3.ClusterLoadAssignment) []endpoint {
	found := []endpoint{}
	for _, local := range load.GetEndpoints() {
		at := local.GetLocality()
		locality := strings.TrimRight(strings.Join([]string{at.GetRegion(), at.GetZone(), at.GetSubZone()}, "/"), "/")
		for _, member := range local.GetLbEndpoints() {
			socket := member.GetEndpoint().GetAddress().GetSocketAddress()
			found = append(found, endpoint{
				Address:        socket.GetAddress(),
				Port:           socket.GetPortValue(),
				Locality:       locality,
				Priority:       local.GetPriority(),
				LocalityWeight: local.GetLoadBalancingWeight().GetValue(),
				Weight:         member.GetLoadBalancingWeight().GetValue(),
			})
		}
	}
	return found
}
