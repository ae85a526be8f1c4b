//! Writes to a folder. Only the gate gets here: each takes a [`Pass`].
//!
//! Invariant: a file changes by one rename, link or unlink of a complete and synced file, and right before that
//! the pass is asked once more. The document that is replaced is the one that the plan was made from.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::edit;
use super::index::{Found, Index, read, version_of};
use crate::cluster::gate::{GateError, Pass, Written};
use crate::manifest;
use crate::mesh::{Change, ObjectKey, Op};

/// The directory, within a folder, for objects that Flagship creates.
const OWN_DIRECTORY: &str = "flagship";

/// Carries out `change`. The key has been checked by `segment::check_key`, so that it cannot lead elsewhere.
pub(super) fn write(index: &mut Index, pass: &Pass, change: &Change) -> Result<Written, GateError> {
    index.refresh().map_err(|message| GateError::Unavailable { message })?;
    match &change.op {
        Op::Create { object } => create(index, pass, &change.key, object)?,
        Op::Update { object, uid, resource_version } => {
            let place = locate(index, &change.key, uid.as_deref(), resource_version)?;
            update(&place, pass, object)?;
        }
        Op::Delete { uid, resource_version, requires: _ } => {
            let place = locate(index, &change.key, uid.as_deref(), resource_version)?;
            delete(&place, pass)?;
            // Twice: what is missing from a file counts once the file has settled.
            index.refresh().and_then(|()| index.refresh()).map_err(|message| GateError::Unknown { message })?;
            return Ok(Written::Deleted);
        }
    }
    // From here on it is done; only what it looks like may be unknown.
    index.refresh().map_err(|message| GateError::Unknown { message })?;
    match index.find(&change.key) {
        Some((_, found)) => Ok(Written::Applied((*found.object).clone())),
        None => Err(GateError::Unknown { message: "it was gone right after it was written".to_owned() }),
    }
}

/// A document of a file, as it is at this moment.
struct Place {
    file: PathBuf,
    text: String,
    document: usize,
    span: std::ops::Range<usize>,
    alone: bool,
}

fn locate(index: &Index, key: &ObjectKey, uid: Option<&str>, version: &str) -> Result<Place, GateError> {
    let (path, found) = index.find(key).ok_or(GateError::NotFound)?;
    if uid.is_some_and(|uid| found.object["metadata"]["uid"] != uid) {
        return Err(GateError::Conflict);
    }
    let file = inside(index.root(), &index.root().join(&path))?;
    if found.in_list {
        let message = format!("{} holds {key} within a List; give it a document of its own", path.display());
        return Err(refused(message));
    }
    // Not what the index remembers, but what is there now.
    let text = read(&file).map_err(|message| GateError::Unavailable { message })?;
    let documents = manifest::parse(&text);
    let Found { document, .. } = found;
    let span = documents.iter().find(|d| d.index == document).map(|d| d.span.clone()).ok_or(GateError::Conflict)?;
    if version_of(&text[span.clone()]) != version {
        return Err(GateError::Conflict);
    }
    let alone = documents.iter().all(|d| d.index == document);
    Ok(Place { file, text, document, span, alone })
}

fn create(index: &Index, pass: &Pass, key: &ObjectKey, object: &Value) -> Result<(), GateError> {
    if index.find(key).is_some() {
        return Err(GateError::AlreadyExists);
    }
    let namespace = if key.namespace.is_empty() { "_cluster" } else { &key.namespace };
    let directory = index.root().join(OWN_DIRECTORY).join(namespace);
    pass.check()?;
    fs::create_dir_all(&directory).map_err(|e| failed(&directory, &e))?;
    let directory = inside(index.root(), &directory)?;
    let file = directory.join(format!("{}.{}.yaml", key.kind.name().to_lowercase(), key.name));
    let text = edit::render(object, false).map_err(refused)?;
    let temporary = Temporary::write(&file, &text)?;
    pass.check()?;
    // A link, unlike a rename, never replaces a file.
    match fs::hard_link(&temporary.0, &file) {
        Ok(()) => sync_directory(&directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(GateError::AlreadyExists),
        Err(error) => Err(failed(&file, &error)),
    }
}

fn update(place: &Place, pass: &Pass, object: &Value) -> Result<(), GateError> {
    let json = place.file.extension().is_some_and(|extension| extension == "json");
    let document = edit::render(object, json).map_err(refused)?;
    let text = edit::replaced(&place.text, &place.span, &document);
    check_readable(&text, place.document)?;
    replace(place, pass, &text)
}

fn delete(place: &Place, pass: &Pass) -> Result<(), GateError> {
    if !place.alone {
        return replace(place, pass, &edit::removed(&place.text, &place.span));
    }
    unchanged(place)?;
    pass.check()?;
    fs::remove_file(&place.file).map_err(|e| failed(&place.file, &e))?;
    sync_directory(parent(&place.file))
}

fn replace(place: &Place, pass: &Pass, text: &str) -> Result<(), GateError> {
    let temporary = Temporary::write(&place.file, text)?;
    if let Ok(metadata) = fs::metadata(&place.file) {
        // Best effort: the content counts, and it is written.
        let _ = fs::set_permissions(&temporary.0, metadata.permissions());
    }
    unchanged(place)?;
    pass.check()?;
    fs::rename(&temporary.0, &place.file).map_err(|e| failed(&place.file, &e))?;
    sync_directory(parent(&place.file))
}

/// The last look before the file is replaced. An editor that saves between this and the rename, a matter of
/// microseconds, loses; a file system offers nothing better without locks that editors do not take.
fn unchanged(place: &Place) -> Result<(), GateError> {
    match read(&place.file) {
        Ok(text) if text == place.text => Ok(()),
        _ => Err(GateError::Conflict),
    }
}

/// Whether the document can be read back; a writer that cannot do that must not write.
fn check_readable(text: &str, document: usize) -> Result<(), GateError> {
    match manifest::parse(text).into_iter().find(|d| d.index == document).map(|d| d.result) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(refused(format!("the file would not be readable: {error}"))),
        None => Err(refused("the file would not be readable".to_owned())),
    }
}

/// The real path, if it lies within the root.
fn inside(root: &Path, path: &Path) -> Result<PathBuf, GateError> {
    let real = fs::canonicalize(path).map_err(|e| failed(path, &e))?;
    if real.starts_with(root) {
        return Ok(real);
    }
    Err(refused(format!("{} leads out of the folder; remove the link", path.display())))
}

fn refused(message: String) -> GateError {
    GateError::Refused { status: 0, message }
}

fn failed(path: &Path, error: &std::io::Error) -> GateError {
    refused(format!("{}: {error}", path.display()))
}

fn parent(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

/// After this the new name survives a crash. Before it the file is complete either way.
fn sync_directory(directory: &Path) -> Result<(), GateError> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| GateError::Unknown { message: format!("{}: {e}", directory.display()) })
}

/// A synced file beside the one that it is to become; removed when dropped, if it still has its own name.
struct Temporary(PathBuf);

impl Temporary {
    fn write(beside: &Path, text: &str) -> Result<Self, GateError> {
        let path = parent(beside).join(format!(".flagship-{}.tmp", uuid::Uuid::new_v4()));
        let mut file = File::create_new(&path).map_err(|e| failed(&path, &e))?;
        let temporary = Self(path);
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(&temporary.0, &e))?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}
