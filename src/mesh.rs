//! Values that every part of the mesh pipeline shares: clusters, kinds, keys, changes, conditions, settings.
//!
//! Invariant: nothing here does I/O or knows of time. Objects travel as JSON, so that fields which Flagship
//! does not know survive.

pub mod change;
pub mod compact;
mod condition;
pub mod key;
pub mod kind;
pub mod marks;
pub mod name;
pub mod options;
mod suspension;

pub use change::{BODIES, Change, Op};
pub use compact::Compact;
pub use condition::{Condition, Reason};
pub use key::{ClusterId, ObjectKey, Origin};
pub use kind::{Kind, NamespaceScope, WatchScope};
pub use options::{
    EntrySettings, ExtensionSettings, MeshOptions, MeshSettings, OptionError, PolicySettings, RoutingSettings,
    WorkloadSettings,
};
pub use suspension::{Concerned, Envs, Suspension, Suspensions};
