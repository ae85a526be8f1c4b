//! A directory of manifests that stands for a cluster: for demos, tests and GitOps trials.
//!
//! Invariant: a file that is broken takes nothing away (its last good objects stay), a write replaces one
//! document and leaves every other byte as it is, and nothing outside the directory is read or written.

mod edit;
mod index;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub(super) use self::watch::{signals, watch};
use super::connection::ConnectError;
use super::gate::{GateError, Pass, Written};
use super::target::ReadError;
use crate::mesh::{Change, ObjectKey};
use index::Index;

/// One folder. Copies share what was read.
#[derive(Clone, Debug)]
pub struct FolderTarget {
    root: Arc<Path>,
    index: Arc<Mutex<Index>>,
}

/// What a folder holds, as one look at it showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// Objects by key; the first by path, then by document, of those with one key.
    pub(super) objects: BTreeMap<ObjectKey, Arc<Value>>,
    /// Secrets by namespace and name.
    pub(super) secrets: BTreeMap<(String, String), Arc<Value>>,
    /// What could not be used, by file (and document), with the reason.
    pub(super) problems: BTreeMap<String, String>,
    /// Whether some file may be half written: another look soon tells.
    pub(super) unsettled: bool,
}

impl FolderTarget {
    /// Opens an existing directory.
    ///
    /// # Errors
    /// When it is no directory or cannot be read.
    pub async fn open(path: &Path) -> Result<Self, ConnectError> {
        let shown = path.display().to_string();
        let path = path.to_owned();
        let open = move || {
            let root = std::fs::canonicalize(&path)?;
            std::fs::read_dir(&root).map(|_| root)
        };
        let failed = |cause: String| ConnectError::Folder { path: shown.clone(), cause };
        let root: PathBuf =
            blocking(open).await.map_err(failed)?.map_err(|error: std::io::Error| failed(error.to_string()))?;
        let index = Arc::new(Mutex::new(Index::new(&root)));
        Ok(Self { root: root.into(), index })
    }

    /// The directory, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks at the folder again; only files that changed are read.
    pub(super) async fn contents(&self) -> Result<Contents, String> {
        self.with_index(|index| {
            index.refresh()?;
            Ok(index.contents())
        })
        .await?
    }

    pub(super) async fn get(&self, key: &ObjectKey, timeout: Duration) -> Result<Option<Value>, ReadError> {
        let unavailable = |message| ReadError::Unavailable { message };
        let contents = tokio::time::timeout(timeout, self.contents())
            .await
            .map_err(|_| unavailable(format!("the folder was not read within {} ms", timeout.as_millis())))?
            .map_err(unavailable)?;
        Ok(contents.objects.get(key).map(|object| (**object).clone()))
    }

    pub(super) async fn write(&self, pass: &Pass, change: &Change) -> Result<Written, GateError> {
        let (change, timeout) = (change.clone(), pass.timeout());
        // The pass goes along: the work cannot be cancelled, and until it ends it counts as in flight.
        let pass = pass.clone();
        let work = self.with_index(move |index| store::write(index, &pass, &change));
        match tokio::time::timeout(timeout, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(message)) => Err(GateError::Unknown { message }),
            Err(_) => Err(GateError::Unknown { message: format!("not done within {} ms", timeout.as_millis()) }),
        }
    }

    async fn with_index<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Index) -> T + Send + 'static,
    ) -> Result<T, String> {
        let index = Arc::clone(&self.index);
        blocking(move || work(&mut index.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}
