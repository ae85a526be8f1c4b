//! Discovery without any API server: flags, and secrets in a control folder.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flagship::cluster::discovery::{self, DiscoveryError, DiscoveryOptions};
use flagship::cluster::event::{ClusterEvent, channel};
use flagship::cluster::source::{ClusterSource, NamedSource};
use flagship::cluster::watch::WatchOptions;
use flagship::mesh::{Kind, MeshSettings, Origin};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

fn options(control: &Path, clusters: &[(&str, &Path)]) -> DiscoveryOptions {
    let named = |(name, path): &(&str, &Path)| format!("{name}=folder:{}", path.display()).parse().unwrap();
    DiscoveryOptions {
        control: ClusterSource::Folder { path: control.to_owned() },
        clusters: clusters.iter().map(named).collect::<Vec<NamedSource>>(),
        secret_namespace: "admiral".into(),
        secret_label: "admiral/sync".into(),
        watch: WatchOptions::from(&MeshSettings::default()),
    }
}

fn directory(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    fs::create_dir(&path).unwrap();
    path
}

async fn until<T>(events: &mut Receiver<ClusterEvent>, mut wanted: impl FnMut(&ClusterEvent) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = events.recv().await.expect("discovery runs");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search).await.expect("the event in time")
}

fn refused(event: &ClusterEvent) -> Option<(String, String)> {
    match event {
        ClusterEvent::Refused { subject, message } => Some((subject.clone(), message.clone())),
        _ => None,
    }
}

#[tokio::test]
async fn flags_name_clusters_and_a_missing_one_delays_no_other() {
    let root = tempfile::tempdir().unwrap();
    let (control, east) = (directory(root.path(), "control"), directory(root.path(), "east"));
    let west = root.path().join("west");
    fs::write(
        control.join("d.yaml"),
        "apiVersion: admiral.io/v1alpha1\nkind: Dependency\nmetadata: {name: dep, namespace: admiral}\nspec: {source: a}\n",
    )
    .unwrap();
    let (sender, mut events) = channel();
    let shutdown = CancellationToken::new();
    let options = options(&control, &[("east", &east), ("west", &west)]);
    let task = tokio::spawn(discovery::run(options, sender, shutdown.clone()));
    let (mut added, mut told, mut dependencies, mut discovered) = (false, false, false, false);
    until(&mut events, |event| {
        match event {
            ClusterEvent::Added { cluster, target } => {
                assert_eq!((cluster.as_str(), target.kind()), ("east", "folder"));
                added = true;
            }
            ClusterEvent::Refused { subject, message } => {
                assert_eq!(subject, "--cluster west");
                assert!(message.contains("name an existing directory"), "{message}");
                told = true;
            }
            ClusterEvent::Listed { origin: Origin::Control, kind: Kind::Dependency, objects } => {
                assert_eq!(objects.len(), 1);
                dependencies = true;
            }
            ClusterEvent::DiscoveryListed => {
                assert!(added && told, "every flag was tried before");
                discovered = true;
            }
            _ => {}
        }
        (dependencies && discovered).then_some(())
    })
    .await;

    fs::create_dir(&west).unwrap();
    until(&mut events, |e| {
        matches!(e, ClusterEvent::Accepted { subject } if subject == "--cluster west").then_some(())
    })
    .await;
    until(&mut events, |e| {
        matches!(e, ClusterEvent::Added { cluster, .. } if cluster.as_str() == "west").then_some(())
    })
    .await;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(2), task).await.expect("it ends").unwrap().unwrap();
    while events.recv().await.is_some() {}
}

#[tokio::test]
async fn secrets_of_a_control_folder_name_clusters() {
    const KUBECONFIG: &str = "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n\
        clusters: [{name: k, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: u, user: {token: t}}]\n";
    let root = tempfile::tempdir().unwrap();
    let (control, north) = (directory(root.path(), "control"), directory(root.path(), "north"));
    let secret = |keys: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: admiral, labels: {{admiral/sync: 'true'}}}}\n{keys}"
        )
    };
    let block = KUBECONFIG.replace('\n', "\n    ");
    let keys = format!(
        "stringData:\n  plain: |\n    {block}\n  sneaky: 'folder:/etc'\n  north: |\n    {block}\ndata: {{encoded: '%%%'}}\n"
    );
    fs::write(control.join("s.yaml"), secret(&keys)).unwrap();
    fs::write(control.join("other.yaml"), secret(&keys).replace("'true'", "'false'").replace("name: s", "name: x"))
        .unwrap();
    let (sender, mut events) = channel();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(discovery::run(options(&control, &[("north", &north)]), sender, shutdown.clone()));
    let (mut added, mut problems) = (Vec::new(), Vec::new());
    until(&mut events, |event| {
        match event {
            ClusterEvent::Added { cluster, target } => added.push(format!("{cluster} {}", target.kind())),
            ClusterEvent::Refused { .. } => problems.extend(refused(event)),
            _ => {}
        }
        matches!(event, ClusterEvent::DiscoveryListed).then_some(())
    })
    .await;
    added.sort();
    assert_eq!(added, ["north folder", "plain kube"]);
    let subjects: Vec<_> = problems.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, ["Secret admiral/s key encoded", "Secret admiral/s key north", "Secret admiral/s key sneaky"]);
    assert!(problems[0].1.contains("base64") && problems[1].1.contains("--cluster"), "{problems:?}");

    fs::remove_file(control.join("s.yaml")).unwrap();
    until(&mut events, |e| matches!(e, ClusterEvent::Removed { cluster } if cluster.as_str() == "plain").then_some(()))
        .await;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(2), task).await.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_begin_is_an_error_at_once() {
    let root = tempfile::tempdir().unwrap();
    let missing = options(&root.path().join("missing"), &[]);
    let run = |options| discovery::run(options, channel().0, CancellationToken::new());
    assert!(matches!(run(missing).await, Err(DiscoveryError::Control(_))));
    let twice = options(root.path(), &[("east", root.path()), ("east", root.path())]);
    assert!(matches!(run(twice).await, Err(DiscoveryError::Clusters(_))));
    let mut label = options(root.path(), &[]);
    label.secret_label = "a=b,c".into();
    assert!(matches!(run(label).await, Err(DiscoveryError::Label { .. })));
}
