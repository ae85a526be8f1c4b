//! The way to one cluster: an API server, or a folder that stands for one.
//!
//! Invariant: writing takes a [`Pass`], and only the gate makes those.

mod answer;
mod kube;
mod request;

use std::time::Duration;

use serde_json::Value;

pub(super) use self::answer::describe;
pub use self::kube::KubeTarget;
use super::folder::FolderTarget;
use super::gate::{GateError, Pass, Written};
use crate::mesh::{Change, ObjectKey};

/// The way to one cluster.
#[derive(Clone, Debug)]
pub enum Target {
    /// A Kubernetes API server.
    Kube(KubeTarget),
    /// A directory of manifests.
    Folder(FolderTarget),
}

/// Why an object could not be read. Nothing is known of it then; in particular not that it is absent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The key cannot exist.
    #[error("cannot be read: {message}")]
    Invalid {
        /// What is wrong with it.
        message: String,
    },
    /// The cluster said no.
    #[error("the cluster refused to show it, with {status}: {message}")]
    Refused {
        /// HTTP status; 0 for a folder.
        status: u16,
        /// What the cluster says.
        message: String,
    },
    /// No usable answer in time.
    #[error("the cluster did not answer: {message}")]
    Unavailable {
        /// What the connection says.
        message: String,
    },
}

impl Target {
    /// `kube` or `folder`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kube(_) => "kube",
            Self::Folder(_) => "folder",
        }
    }

    /// Where it is, for people: the server's URL or the directory.
    pub fn location(&self) -> String {
        match self {
            Self::Kube(target) => target.server().to_owned(),
            Self::Folder(target) => target.root().display().to_string(),
        }
    }

    /// Whether findings are told there, by Events and status. A folder has no use for them: it forgets no Event, and its
    /// files belong to people as a whole.
    pub fn takes_findings(&self) -> bool {
        matches!(self, Self::Kube(_))
    }

    pub(super) async fn get(&self, key: &ObjectKey, timeout: Duration) -> Result<Option<Value>, ReadError> {
        match self {
            Self::Kube(target) => target.get(key, timeout).await,
            Self::Folder(target) => target.get(key, timeout).await,
        }
    }

    pub(super) async fn write(&self, pass: &Pass, change: &Change) -> Result<Written, GateError> {
        match self {
            Self::Kube(target) => target.write(pass, change).await,
            Self::Folder(target) => target.write(pass, change).await,
        }
    }
}
