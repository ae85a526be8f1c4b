//! Where Istio sends a client, given what Flagship writes: istiod's own discovery code reads the produced objects of a
//! cluster and says which endpoints a sidecar there gets, in which order and with which weights.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/api.rs"]
mod api;
#[path = "support/cases.rs"]
mod cases;
#[path = "support/compare.rs"]
mod compare;
#[path = "support/istio.rs"]
mod istio;
#[path = "support/replay.rs"]
mod replay;
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;

use cases::{CONTROL, Case};
use compare::Mesh;
use istio::{Destination, routes};
use serde_json::Value;

const WEST: &str = "us-west-2";
const EAST: &str = "us-east-2";
/// The case with two sources (a in the west, b in the east) and a client (c in the west).
const TWO_SOURCES: &str = "w01-two-clusters-and-client";
/// The client's namespace.
const CLIENT: &str = "client";
const GREETING: &str = "stage.greeting.global";

/// What the clusters hold after the last step.
fn mesh_after(case: &Case) -> Mesh {
    let mut mesh = Mesh::new();
    replay::replay(case, |_, world| mesh = world.mesh());
    mesh
}

/// What the clusters hold after `step`.
fn mesh_at(case: &str, step: u32) -> Mesh {
    let mut mesh = Mesh::new();
    replay::replay(&Case::read(case), |at, world| {
        if at == step {
            mesh = world.mesh();
        }
    });
    mesh
}

/// Priority, locality, address and port of each endpoint.
fn order(destination: &Destination) -> Vec<(u32, &str, &str, u16)> {
    let endpoints = destination.endpoints.iter();
    endpoints.map(|e| (e.priority, e.locality.as_str(), e.address.as_str(), e.port)).collect()
}

#[test]
fn a_client_gets_its_own_region_first_and_the_other_one_when_that_fails() {
    let mesh = mesh_after(&Case::read(TWO_SOURCES));
    let here = ("greeting.sample.svc.cluster.local", 80);
    let (west, east) = (("west.lb.example.com.", 15443), ("east.lb.example.com.", 15443));
    for (cluster, region, first, other, second) in [
        ("cluster-a", WEST, here, EAST, east),
        ("cluster-b", EAST, here, WEST, west),
        ("cluster-c", WEST, west, EAST, east),
    ] {
        let found = routes(&mesh[cluster], &format!("{region}/{region}a"), CLIENT);
        let greeting = &found[GREETING];
        let expected = [(0, region, first.0, first.1), (1, other, second.0, second.1)];
        assert_eq!(order(greeting), expected, "in {cluster}");
        assert!(greeting.fails_over, "priority 1 is worth nothing if nothing is ejected from priority 0");
        assert_eq!((greeting.port, greeting.discovery.as_str()), (80, "STRICT_DNS"));
    }
}

#[test]
fn a_client_far_from_all_gets_all() {
    let mesh = mesh_after(&Case::read(TWO_SOURCES));
    let found = routes(&mesh["cluster-c"], "eu-west-1/eu-west-1b", CLIENT);
    let priorities: Vec<u32> = found[GREETING].endpoints.iter().map(|endpoint| endpoint.priority).collect();
    assert_eq!(priorities, [0, 0]);
}

/// In every case, in every cluster with a region: each generated host that a client may see leads somewhere, and whoever
/// finds endpoints in its own region gets these first and all others after, unless a policy gives weights.
#[test]
fn own_region_first_in_every_case() {
    let (mut clusters, mut hosts, mut choices) = (0, 0, 0);
    for case in Case::all() {
        let mesh = mesh_after(&case);
        for (cluster, objects) in mesh.iter().filter(|(cluster, objects)| *cluster != CONTROL && has_istio(objects)) {
            let Some(region) = region_of(&case, cluster) else { continue };
            let found = routes(objects, &region, CLIENT);
            clusters += 1;
            for host in hosts_of(objects) {
                let label = format!("{}: {host} in {cluster}", case.name);
                let destination = found.get(&host).unwrap_or_else(|| panic!("{label} leads nowhere"));
                hosts += 1;
                choices += usize::from(check_order(destination, &region, &label));
            }
        }
    }
    println!("{clusters} clusters, {hosts} hosts, {choices} of them with a choice between regions");
    assert!(choices >= 10, "too few to mean anything");
}

/// Whether there was a choice between the client's region and others.
fn check_order(destination: &Destination, region: &str, label: &str) -> bool {
    let own = |endpoint: &&istio::Endpoint| endpoint.locality.split('/').next() == Some(region);
    let (near, far): (Vec<_>, Vec<_>) = destination.endpoints.iter().partition(own);
    assert!(!destination.endpoints.is_empty(), "{label} has no endpoint");
    if near.is_empty() || far.is_empty() || destination.by_locality {
        return false;
    }
    assert!(near.iter().all(|endpoint| endpoint.priority == 0), "{label}: {destination:#?}");
    assert!(far.iter().all(|endpoint| endpoint.priority > 0), "{label}: {destination:#?}");
    assert!(destination.fails_over, "{label} never gets to priority 1");
    true
}

/// A GlobalTrafficPolicy with prefixes: `east.` leads to the east and `west.` to the west, from everywhere, and the host
/// itself stays as it was.
#[test]
fn a_prefix_leads_to_its_region() {
    let mesh = mesh_at("w04-gtp-topology-and-prefixes", 4);
    for (cluster, region) in [("cluster-a", WEST), ("cluster-b", EAST), ("cluster-c", WEST)] {
        let found = routes(&mesh[cluster], region, CLIENT);
        for (host, expected) in [(format!("east.{GREETING}"), EAST), (format!("west.{GREETING}"), WEST)] {
            let localities: Vec<&str> = found[&host].endpoints.iter().map(|e| e.locality.as_str()).collect();
            assert_eq!(localities, [expected], "{host} in {cluster}");
        }
        let plain: Vec<(u32, bool)> =
            found[GREETING].endpoints.iter().map(|e| (e.priority, e.locality == region)).collect();
        assert_eq!(plain, [(0, true), (1, false)], "{GREETING} in {cluster}");
    }
}

/// A GlobalTrafficPolicy with weights: every client gets them, wherever it is.
#[test]
fn weights_of_a_policy_are_those_of_the_endpoints() {
    let mesh = mesh_after(&Case::read("w28-gtp-priority"));
    for (cluster, region) in [("cluster-a", WEST), ("cluster-b", EAST), ("cluster-c", WEST)] {
        let found = routes(&mesh[cluster], region, CLIENT);
        let greeting = &found[GREETING];
        let shares: Vec<_> =
            greeting.endpoints.iter().map(|e| (e.priority, e.locality.as_str(), e.locality_weight)).collect();
        assert_eq!(shares, [(0, EAST, 40), (0, WEST, 60)], "in {cluster}");
        assert!(greeting.by_locality, "the weights count");
    }
}

/// The active/passive default: everybody goes to the active region. The other one is no way out: Istio drops what
/// `distribute` does not name.
#[test]
fn the_active_passive_default_leads_to_the_active_region_alone() {
    let mesh = mesh_after(&Case::read("w12-active-passive-default"));
    for (cluster, region) in [("cluster-a", WEST), ("cluster-b", EAST), ("cluster-c", WEST)] {
        let found = routes(&mesh[cluster], region, CLIENT);
        let localities: Vec<&str> = found[GREETING].endpoints.iter().map(|e| e.locality.as_str()).collect();
        assert_eq!(localities, [WEST], "in {cluster}");
    }
}

/// A judge that never objects proves nothing: exchange the localities, and the order turns round.
#[test]
fn wrong_localities_are_seen() {
    let mut mesh = mesh_after(&Case::read(TWO_SOURCES));
    let objects = mesh.get_mut("cluster-a").unwrap();
    for object in objects.iter_mut().filter(|object| object["kind"] == "ServiceEntry") {
        for endpoint in object["spec"]["endpoints"].as_array_mut().unwrap() {
            let other = if endpoint["locality"] == WEST { EAST } else { WEST };
            endpoint["locality"] = other.into();
        }
    }
    let found = routes(objects, WEST, CLIENT);
    assert_eq!(found[GREETING].endpoints[0].address, "east.lb.example.com.");
}

fn has_istio(objects: &[Value]) -> bool {
    objects.iter().any(istio::is_istio)
}

/// The hosts of the ServiceEntries that are Flagship's and exported to the client.
fn hosts_of(objects: &[Value]) -> BTreeSet<String> {
    let ours = objects.iter().filter(|object| {
        let exported = object["spec"]["exportTo"].as_array();
        object["kind"] == "ServiceEntry"
            && object["metadata"]["annotations"]["app.kubernetes.io/created-by"] == "admiral"
            && exported.is_none_or(|to| to.iter().any(|one| one == "*" || one == CLIENT))
    });
    ours.flat_map(|object| object["spec"]["hosts"].as_array().unwrap())
        .map(|host| host.as_str().unwrap().to_owned())
        .collect()
}

/// The region of a cluster's nodes, as the case has them.
fn region_of(case: &Case, cluster: &str) -> Option<String> {
    let objects = case.inputs.iter().filter(|input| input.cluster == cluster).flat_map(|input| &input.objects);
    objects.filter(|object| object["kind"] == "Node").find_map(|node| {
        let labels = &node["metadata"]["labels"];
        let label = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];
        label.iter().find_map(|name| labels[name].as_str()).map(str::to_owned)
    })
}
