//! What the files of a folder hold, kept up to date by reading only those that changed.
//!
//! Invariant: while any document of a file is broken, or the file changed since the last look (it may be half
//! written), objects that it held before and that are not found in it now stay. Files are taken in the order of their paths, so that every instance sees the same winner
//! among documents with one key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::Contents;
use crate::manifest;
use crate::mesh::{Kind, NamespaceScope, ObjectKey};

/// Deepest directory below the root that is read.
const MAX_DEPTH: usize = 16;
/// Most files that are read; a folder is a small cluster.
const MAX_FILES: usize = 50_000;

/// The files of one folder.
#[derive(Debug)]
pub(super) struct Index {
    root: PathBuf,
    files: BTreeMap<PathBuf, File>,
}

/// Where an object was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) id: Id,
    /// The object with the folder's uid and resourceVersion.
    pub(super) object: Arc<Value>,
    /// The document's position in the file.
    pub(super) document: usize,
    /// The line, from 1, of the document.
    pub(super) line: usize,
    /// Whether it is one of several in a `List`.
    pub(super) in_list: bool,
}

/// What an object is: one of the mesh, or a secret for cluster discovery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Object(ObjectKey),
    Secret { namespace: String, name: String },
}

#[derive(Debug, Default)]
struct File {
    stamp: Option<Stamp>,
    /// Whether two looks showed the same stamp. Until then the file is read again: it may be half written, and
    /// a change within the clock's tick leaves no stamp.
    settled: bool,
    /// Whether objects are kept only because the file has not settled.
    waiting: bool,
    found: Vec<Found>,
    problems: BTreeMap<String, String>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

impl Index {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: BTreeMap::new() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads what changed since the last time.
    pub(super) fn refresh(&mut self) -> Result<(), String> {
        let mut paths = BTreeSet::new();
        collect(&self.root, &self.root, 0, &mut paths).map_err(|e| format!("{}: {e}", self.root.display()))?;
        self.files.retain(|path, _| paths.contains(path));
        for path in paths {
            let full = self.root.join(&path);
            self.files.entry(path.clone()).or_default().refresh(&path, &full);
        }
        Ok(())
    }

    /// The file and place of an object: the first by path.
    pub(super) fn find(&self, key: &ObjectKey) -> Option<(PathBuf, Found)> {
        let id = Id::Object(key.clone());
        self.files.iter().find_map(|(path, file)| {
            file.found.iter().find(|found| found.id == id).map(|found| (path.clone(), found.clone()))
        })
    }

    pub(super) fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        let mut places: BTreeMap<&Id, String> = BTreeMap::new();
        for (path, file) in &self.files {
            contents.problems.extend(file.problems.clone());
            contents.unsettled |= file.waiting;
            for found in &file.found {
                let place = format!("{} line {}", path.display(), found.line);
                if let Some(first) = places.get(&found.id) {
                    let subject = format!("{} document {}", path.display(), found.document + 1);
                    let message = format!("line {}: a second copy of what {first} has; remove one of them", found.line);
                    contents.problems.insert(subject, message);
                    continue;
                }
                places.insert(&found.id, place);
                let object = Arc::clone(&found.object);
                match &found.id {
                    Id::Object(key) => drop(contents.objects.insert(key.clone(), object)),
                    Id::Secret { namespace, name } => {
                        contents.secrets.insert((namespace.clone(), name.clone()), object);
                    }
                }
            }
        }
        contents
    }
}

impl File {
    fn refresh(&mut self, path: &Path, full: &Path) {
        let stamp = fs::metadata(full).ok().map(|metadata| Stamp::of(&metadata));
        if stamp.is_some() && stamp == self.stamp && self.settled {
            return;
        }
        self.settled = stamp == self.stamp;
        self.stamp = stamp;
        match read(full) {
            Ok(text) => self.take(path, &text),
            // The objects stay: that a file cannot be read says nothing about them.
            Err(error) => {
                self.settled = false;
                self.problems = BTreeMap::from([(
                    path.display().to_string(),
                    format!("{error}; its last good objects stay, make it a readable text file"),
                )]);
            }
        }
    }

    fn take(&mut self, path: &Path, text: &str) {
        let (mut found, mut problems) = (Vec::new(), BTreeMap::new());
        for document in manifest::parse(text) {
            let version = version_of(&text[document.span.clone()]);
            let place = |id, object| Found {
                id,
                object: Arc::new(object),
                document: document.index,
                line: document.line,
                in_list: document.item.is_some(),
            };
            match document.result.map_err(|e| e.to_string()).and_then(|object| identified(object, &version)) {
                Ok(Some((id, object))) => found.push(place(id, object)),
                Ok(None) => {}
                Err(message) => {
                    let subject = format!("{} document {}", path.display(), document.index + 1);
                    problems.insert(subject, format!("{message} (line {}); its last good object stays", document.line));
                }
            }
        }
        self.waiting = false;
        if !problems.is_empty() || !self.settled {
            let kept = self.found.drain(..).filter(|old| !found.iter().any(|new| new.id == old.id));
            let kept: Vec<_> = kept.collect();
            self.waiting = problems.is_empty() && !kept.is_empty();
            found.extend(kept);
        }
        self.found = found;
        self.problems = problems;
    }
}

/// The resourceVersion of a document: a hash of its text (FNV-1a, so that it is the same in every build).
pub(super) fn version_of(text: &str) -> String {
    format!("{:016x}", fnv(text.as_bytes()))
}

/// Reads a file that may be read as text.
pub(super) fn read(full: &Path) -> Result<String, String> {
    let metadata = fs::metadata(full).map_err(|e| e.to_string())?;
    if metadata.len() > manifest::MAX_BYTES as u64 {
        return Err(format!("it has {} bytes, more than the {} allowed", metadata.len(), manifest::MAX_BYTES));
    }
    fs::read_to_string(full).map_err(|e| e.to_string())
}

/// The object with its identity; `None` for kinds of which Flagship has no use.
fn identified(mut object: Value, version: &str) -> Result<Option<(Id, Value)>, String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind_name) = (text("/apiVersion"), text("/kind"));
    let kind = Kind::of(&api_version, &kind_name);
    let secret = kind.is_none() && api_version == "v1" && kind_name == "Secret";
    if kind.is_none() && !secret {
        return Ok(None);
    }
    let name = text("/metadata/name");
    let mut namespace = text("/metadata/namespace");
    if name.is_empty() {
        return Err(format!("{kind_name}: metadata.name is missing; add it"));
    }
    if kind.is_some_and(|kind| kind.namespace_scope() == NamespaceScope::ClusterScoped) {
        namespace.clear();
    } else if namespace.is_empty() {
        "default".clone_into(&mut namespace);
    }
    let uid = format!("{:016x}", fnv(format!("{kind_name}/{namespace}/{name}").as_bytes()));
    let metadata = &mut object["metadata"];
    if !namespace.is_empty() {
        metadata["namespace"] = Value::String(namespace.clone());
    }
    metadata["uid"] = Value::String(uid);
    metadata["resourceVersion"] = Value::String(version.to_owned());
    let id = match kind {
        Some(kind) => Id::Object(ObjectKey::new(kind, namespace, name)),
        None => Id::Secret { namespace, name },
    };
    Ok(Some((id, object)))
}

/// Relative paths of all manifests below `directory`. Symlinks count only if they lead to a file within the
/// root; linked directories are not entered.
fn collect(root: &Path, directory: &Path, depth: usize, paths: &mut BTreeSet<PathBuf>) -> Result<(), std::io::Error> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') || name.ends_with(".tmp") {
            continue;
        }
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            // One directory that cannot be read hides only itself; it may also have vanished meanwhile.
            if depth < MAX_DEPTH
                && let Err(error) = collect(root, &path, depth + 1, paths)
            {
                tracing::warn!(directory = %path.display(), %error, "a directory of manifests cannot be read");
            }
            continue;
        }
        let manifest = [".yaml", ".yml", ".json"].iter().any(|extension| name.ends_with(extension));
        let inside = !kind.is_symlink()
            || fs::canonicalize(&path).is_ok_and(|target| target.starts_with(root) && target.is_file());
        if manifest
            && inside
            && paths.len() < MAX_FILES
            && let Ok(relative) = path.strip_prefix(root)
        {
            paths.insert(relative.to_owned());
        }
    }
    Ok(())
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            length: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
