//! Argo's Rollouts: a workload with a strategy that names its Services (reconcile-spec 2.7).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::workload::{self, Workload, WorkloadKind};
use super::{Index, Name, NearMiss, State, Touched};
use crate::mesh::{Kind, MeshOptions, ObjectKey, Origin};

/// A Rollout with an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What it shares with other workloads.
    pub workload: Workload,
    /// How it releases.
    pub strategy: Strategy,
}

/// How a Rollout releases. Of names, empty ones count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `spec.strategy.blueGreen`.
    BlueGreen {
        /// `activeService`.
        active: Option<String>,
        /// `previewService`.
        preview: Option<String>,
    },
    /// `spec.strategy.canary` without Istio.
    Canary,
    /// `spec.strategy.canary` with `trafficRouting.istio`.
    IstioCanary {
        /// `stableService`.
        stable: Option<String>,
        /// `canaryService`.
        canary: Option<String>,
        /// `trafficRouting.istio.virtualService`, or the first of `virtualServices`.
        route: Option<RouteRef>,
    },
    /// None of these: the Rollout takes no part (reconcile-spec R6). What `spec.strategy` is, for people.
    Other(String),
}

/// Where a canary keeps its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRef {
    /// The VirtualService, in the Rollout's namespace.
    pub virtual_service: String,
    /// The first of its `routes`.
    pub route: Option<String>,
}

impl Rollout {
    /// Whether its strategy names the Service.
    pub fn names_service(&self, service: &str) -> bool {
        let named = |name: &Option<String>| name.as_deref() == Some(service);
        match &self.strategy {
            Strategy::BlueGreen { active, preview } => named(active) || named(preview),
            Strategy::IstioCanary { stable, canary, .. } => named(stable) || named(canary),
            Strategy::Canary | Strategy::Other(_) => false,
        }
    }

    /// Whether its strategy names the VirtualService.
    pub fn names_virtual_service(&self, virtual_service: &str) -> bool {
        self.route().is_some_and(|route| route.virtual_service == virtual_service)
    }

    /// Where it keeps its weights, if it does.
    pub fn route(&self) -> Option<&RouteRef> {
        let Strategy::IstioCanary { route, .. } = &self.strategy else { return None };
        route.as_ref()
    }
}

impl Watched for Rollout {
    const KIND: Kind = Kind::Rollout;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let Some(workload) = Workload::decode(&root, options)? else { return Ok(None) };
        Ok(Some(Self { workload, strategy: strategy(&root.field("spec.strategy")?)? }))
    }

    fn near_miss(object: &Value, options: &MeshOptions) -> Option<NearMiss> {
        workload::near_miss(object, options)
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.rollouts
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let mut touched = Touched::none();
        for route in [old, new].into_iter().flatten().filter_map(Self::route) {
            // Whether it may be copied has changed (reconcile-spec V2).
            touched.merge(Touched::object(ObjectKey::new(
                Kind::VirtualService,
                &name.namespace,
                &route.virtual_service,
            )));
        }
        let (old, new) = (old.map(|r| &r.workload), new.map(|r| &r.workload));
        touched.merge(workload::touched(index, origin, (WorkloadKind::Rollout, name), old, new));
        touched
    }
}

fn strategy(at: &At<'_>) -> Result<Strategy, DecodeError> {
    let (blue_green, canary) = (at.field("blueGreen")?, at.field("canary")?);
    if !blue_green.value().is_null() {
        return Ok(Strategy::BlueGreen {
            active: text(&blue_green, "activeService")?,
            preview: text(&blue_green, "previewService")?,
        });
    }
    if canary.value().is_null() {
        return Ok(Strategy::Other(at.shown()));
    }
    let istio = canary.field("trafficRouting.istio")?;
    if istio.value().is_null() {
        return Ok(Strategy::Canary);
    }
    Ok(Strategy::IstioCanary {
        stable: text(&canary, "stableService")?,
        canary: text(&canary, "canaryService")?,
        route: route(&istio)?,
    })
}

fn route(istio: &At<'_>) -> Result<Option<RouteRef>, DecodeError> {
    let several = istio.field("virtualServices")?.items()?;
    for at in [istio.field("virtualService")?].iter().chain(several.first()) {
        if let Some(virtual_service) = text(at, "name")? {
            let first = at.field("routes")?.items()?.first().map(At::text).transpose()?.flatten();
            let route = first.filter(|name| !name.is_empty()).map(str::to_owned);
            return Ok(Some(RouteRef { virtual_service, route }));
        }
    }
    Ok(None)
}

fn text(at: &At<'_>, field: &str) -> Result<Option<String>, DecodeError> {
    Ok(at.field(field)?.text()?.filter(|text| !text.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(strategy: Value) -> Result<Strategy, DecodeError> {
        let object = json!({"metadata": {"name": "r", "namespace": "n"}, "spec": {"strategy": strategy,
            "template": {"metadata": {"labels": {"identity": "i"}}}}});
        Rollout::decode(&object, &MeshOptions::default()).map(|rollout| rollout.unwrap().strategy)
    }

    #[test]
    fn strategies() {
        let blue_green = Strategy::BlueGreen { active: Some("a".into()), preview: None };
        assert_eq!(decoded(json!({"blueGreen": {"activeService": "a", "previewService": ""}})), Ok(blue_green));
        assert_eq!(decoded(json!({"canary": {}})), Ok(Strategy::Canary));
        let nginx = json!({"canary": {"stableService": "s", "trafficRouting": {"nginx": {"stableIngress": "x"}}}});
        assert_eq!(decoded(nginx), Ok(Strategy::Canary));
        assert_eq!(decoded(json!({"recreate": {}})), Ok(Strategy::Other(r#"{"recreate":{}}"#.into())));
        assert_eq!(decoded(json!(null)), Ok(Strategy::Other("absent".into())));
        let error = decoded(json!({"canary": {"stableService": 7, "trafficRouting": {"istio": {}}}})).unwrap_err();
        assert_eq!(error.to_string(), "spec.strategy.canary.stableService is 7, but must be a string");
    }

    #[test]
    fn the_route_of_an_istio_canary() {
        let route = |istio: Value| match decoded(json!({"canary": {"trafficRouting": {"istio": istio}}})).unwrap() {
            Strategy::IstioCanary { route, .. } => route.map(|r| (r.virtual_service, r.route)),
            other => panic!("{other:?}"),
        };
        assert_eq!(route(json!({})), None);
        assert_eq!(route(json!({"virtualService": {"name": "v"}})), Some(("v".into(), None)));
        let several = json!({"virtualServices": [{"name": "v", "routes": ["r", "q"]}, {"name": "w"}]});
        assert_eq!(route(several), Some(("v".into(), Some("r".into()))));
    }
}
