//! Kubernetes Events that Flagship made. Kept whole: what is there is not made again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::DecodeError;
use super::fold::Watched;
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, ObjectKey, Origin};

/// The object without `managedFields` and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(pub Compact);

impl State {
    /// The uid of an object that may get an Event.
    pub fn uid(&self, key: &ObjectKey) -> Option<String> {
        let of_kept = || self.observed(key).as_ref().and_then(uid).map(str::to_owned);
        self.uids.get(key).cloned().or_else(of_kept)
    }

    /// Remembers the uid of an object of a kind that is not kept whole, readable or not. Says whether it is another.
    pub(super) fn note_uid(&mut self, key: &ObjectKey, object: Option<&Value>) -> bool {
        let is_told = match key.kind {
            Kind::Deployment | Kind::Rollout | Kind::Job | Kind::Service => true,
            kind => kind.group() == Kind::GlobalTrafficPolicy.group(),
        };
        let new = object.and_then(uid).filter(|_| is_told);
        let old = match new {
            Some(uid) => self.uids.insert(key.clone(), uid.to_owned()),
            None => self.uids.remove(key),
        };
        old.as_deref() != new
    }
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

impl Watched for Event {
    const KIND: Kind = Kind::Event;

    fn decode(object: &Value, _: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        Ok(Some(Self(observed::kept(object))))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.events
    }

    fn touched(_: &mut Index, _: &Origin, name: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        Touched::object(ObjectKey::new(Self::KIND, &name.namespace, &name.name))
    }
}
