//! What asks for an object, in words: one row for each kind that is generated.

use crate::mesh::Kind;

/// The rule behind objects of `kind`.
pub(super) fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::ServiceEntry => "the host itself, in every cluster that runs the service or a client of it",
        Kind::DestinationRule => "mutual TLS, load balancing and outlier detection for the host",
        Kind::VirtualService => "further hosts of the service, or calls that arrive at the gateways",
        Kind::Sidecar => "clients' Sidecars know the hosts that they call",
        Kind::EnvoyFilter => "a RoutingPolicy of the identity, for its clients",
        _ => "made for this identity",
    }
}
