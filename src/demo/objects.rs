//! What is in the clusters' folders: the Istio objects, as anybody would read them from the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::manifests::CLUSTERS;

/// The annotation that carries the epoch of an object's last write.
const EPOCH: &str = "flagship.io/epoch";

/// One Istio object in one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// When its file was last written.
    pub modified: Option<SystemTime>,
    /// The whole object.
    pub value: Value,
}

impl Object {
    /// The epoch under which it was written.
    pub fn epoch(&self) -> Option<u64> {
        self.value["metadata"]["annotations"][EPOCH].as_str()?.parse().ok()
    }
}

/// Every Istio object of every cluster, by cluster and `Kind namespace/name`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects(BTreeMap<(String, String), Object>);

impl Objects {
    /// Reads the folders below `root`. A file that is being written, and cannot be read yet, is left out: who
    /// waits for something looks again.
    pub fn read(root: &Path) -> Self {
        let mut objects = BTreeMap::new();
        for cluster in CLUSTERS {
            for file in manifests_below(&root.join(cluster.name)) {
                let modified = file.metadata().and_then(|m| m.modified()).ok();
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                for value in serde_saphyr::from_multiple::<Value>(&text).unwrap_or_default() {
                    if let Some(key) = istio_key(&value) {
                        objects.insert((cluster.name.to_owned(), key), Object { modified, value });
                    }
                }
            }
        }
        Self(objects)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The clusters that have a ServiceEntry for `host`.
    pub fn clusters_with(&self, host: &str) -> BTreeSet<String> {
        self.service_entries().filter(|(_, o)| has_host(o, host)).map(|(cluster, _)| cluster.to_owned()).collect()
    }

    /// The epochs of the ServiceEntries for `host`.
    pub fn epochs_of(&self, host: &str) -> BTreeSet<Option<u64>> {
        self.service_entries().filter(|(_, o)| has_host(o, host)).map(|(_, object)| object.epoch()).collect()
    }

    /// Host to addresses, over all clusters.
    pub fn addresses(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut addresses = BTreeMap::<String, BTreeSet<String>>::new();
        for (_, object) in self.service_entries() {
            let spec = &object.value["spec"];
            for host in texts(&spec["hosts"]) {
                addresses.entry(host.to_owned()).or_default().extend(texts(&spec["addresses"]).map(str::to_owned));
            }
        }
        addresses
    }

    /// Which objects of `self` are not the same in `later`: gone, changed, or written again.
    pub fn touched_in(&self, later: &Self) -> Vec<String> {
        let touched = self.0.iter().filter(|(key, object)| later.0.get(*key) != Some(*object));
        touched.map(|((cluster, key), _)| format!("{cluster}: {key}")).collect()
    }

    fn service_entries(&self) -> impl Iterator<Item = (&str, &Object)> {
        let entries = self.0.iter().filter(|((_, key), _)| key.starts_with("ServiceEntry "));
        entries.map(|((cluster, _), object)| (cluster.as_str(), object))
    }
}

fn has_host(object: &Object, host: &str) -> bool {
    texts(&object.value["spec"]["hosts"]).any(|h| h == host)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str)
}

fn istio_key(value: &Value) -> Option<String> {
    if !value["apiVersion"].as_str()?.starts_with("networking.istio.io/") {
        return None;
    }
    let metadata = &value["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    Some(format!("{} {namespace}/{}", value["kind"].as_str()?, metadata["name"].as_str()?))
}

/// Manifests in `folder`, hidden files and folders left out.
fn manifests_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            files.extend(manifests_below(&path));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, address: &str, epoch: u64) -> String {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {name}-se\n  namespace: admiral-sync\n  \
             annotations:\n    flagship.io/epoch: \"{epoch}\"\nspec:\n  hosts: [{name}]\n  addresses: [{address}]\n"
        )
    }

    #[test]
    fn files_are_read_wherever_they_lie_and_changes_are_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("west/deep/a.yaml", &format!("kind: Node\napiVersion: v1\n---\n{}", entry("a", "240.0.10.1", 3)));
        write("client/b.yml", &entry("a", "240.0.10.1", 3));
        write("client/.hidden.yaml", &entry("b", "240.0.10.2", 3));
        write("client/broken.yaml", "a: [");
        let before = Objects::read(root.path());
        assert_eq!(before.len(), 2);
        assert_eq!(before.clusters_with("a"), ["client".to_owned(), "west".to_owned()].into());
        assert_eq!(before.epochs_of("a"), [Some(3)].into());
        assert_eq!(before.addresses()["a"], ["240.0.10.1".to_owned()].into());
        assert!(before.touched_in(&Objects::read(root.path())).is_empty());
        write("client/b.yml", &entry("a", "240.0.10.9", 3));
        write("east/c.yaml", &entry("c", "240.0.10.3", 4));
        let after = Objects::read(root.path());
        assert_eq!(before.touched_in(&after), ["client: ServiceEntry admiral-sync/a-se"]);
        assert_eq!(after.len(), 3);
        assert_ne!(before.addresses()["a"], after.addresses()["a"]);
    }
}
