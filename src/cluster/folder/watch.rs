//! Watching a folder: looks at it when the file system says so, and every few seconds in any case.
//!
//! Invariant: events are differences between two complete looks, so that a lost notification delays a change
//! but never loses it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::Value;
use tokio::sync::mpsc;

use super::FolderTarget;
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::cluster::watch::object::prune;
use crate::cluster::watch::{WatchOptions, kinds};
use crate::mesh::{ObjectKey, Origin};

/// How long to wait for more changes before a look.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// How long to rely on notifications alone.
const RESCAN: Duration = Duration::from_secs(5);

/// Watches the folder until the receiver of the events is gone.
pub(in crate::cluster) async fn watch(
    origin: Origin,
    target: FolderTarget,
    options: WatchOptions,
    events: EventSender,
) {
    let mut signals = signals(target.root());
    let mut view = View { origin, options, events, seen: None, problems: BTreeMap::new(), failure: None };
    loop {
        let contents = target.contents().await;
        let unsettled = contents.as_ref().is_ok_and(|contents| contents.unsettled);
        let going = match contents {
            Ok(contents) => view.show(contents.objects, contents.problems).await,
            Err(error) => view.failed(error).await,
        };
        if !going {
            return;
        }
        if unsettled {
            tokio::time::sleep(DEBOUNCE).await;
        } else {
            signals.next().await;
        }
    }
}

/// Says when to look at a folder again.
pub(in crate::cluster) struct Signals {
    changes: mpsc::Receiver<()>,
    // Held for its drop, which ends the notifications.
    _watcher: Option<RecommendedWatcher>,
}

/// Starts notifications for `root`. Without them (a limit of the system) the regular look remains.
pub(in crate::cluster) fn signals(root: &Path) -> Signals {
    let (changed, changes) = mpsc::channel(1);
    let handler = move |event: notify::Result<Event>| {
        // Our own reading is no change. A full channel holds the news already.
        if !matches!(event, Ok(Event { kind: EventKind::Access(_), .. })) {
            let _ = changed.try_send(());
        }
    };
    let watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))
        .and_then(|mut watcher| watcher.watch(root, RecursiveMode::Recursive).map(|()| watcher));
    if let Err(error) = &watcher {
        tracing::warn!(folder = %root.display(), %error, "no notifications; the folder is read every few seconds");
    }
    Signals { changes, _watcher: watcher.ok() }
}

impl Signals {
    /// Waits for a change to settle, or for the time of the regular look.
    pub(in crate::cluster) async fn next(&mut self) {
        match tokio::time::timeout(RESCAN, self.changes.recv()).await {
            Ok(Some(())) => {
                tokio::time::sleep(DEBOUNCE).await;
                while self.changes.try_recv().is_ok() {}
            }
            // No watcher: only time is left.
            Ok(None) => tokio::time::sleep(RESCAN).await,
            Err(_) => {}
        }
    }
}

/// What the reconciler was told last.
struct View {
    origin: Origin,
    options: WatchOptions,
    events: EventSender,
    seen: Option<BTreeMap<ObjectKey, Arc<Value>>>,
    problems: BTreeMap<String, String>,
    failure: Option<String>,
}

impl View {
    async fn show(&mut self, all: BTreeMap<ObjectKey, Arc<Value>>, problems: BTreeMap<String, String>) -> bool {
        let kinds = kinds(&self.origin, &self.options.kinds());
        let now: BTreeMap<_, _> = all
            .into_iter()
            .filter(|(key, _)| kinds.contains(&key.kind))
            .filter(|(key, _)| self.options.namespace(key.kind).is_none_or(|namespace| namespace == key.namespace))
            .collect();
        let mut events = match &self.seen {
            None => self.listed(&now),
            Some(before) => self.differences(before, &now),
        };
        events.extend(self.problem_events(&problems));
        if self.failure.take().is_some() {
            events.push(ClusterEvent::WatchRecovered { origin: self.origin.clone(), kind: None });
        }
        self.seen = Some(now);
        self.problems = problems;
        for event in events {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        true
    }

    /// The folder itself cannot be read: what is known stays.
    async fn failed(&mut self, error: String) -> bool {
        let error = format!("the folder cannot be read: {error}; make it readable, it is tried again");
        if self.failure.as_ref() == Some(&error) {
            return true;
        }
        self.failure = Some(error.clone());
        self.events.send(ClusterEvent::WatchFailed { origin: self.origin.clone(), kind: None, error }).await.is_ok()
    }

    fn listed(&self, now: &BTreeMap<ObjectKey, Arc<Value>>) -> Vec<ClusterEvent> {
        let of = |kind| now.iter().filter(move |(key, _)| key.kind == kind).map(|(key, object)| pruned(key, object));
        let list = |kind| ClusterEvent::Listed { origin: self.origin.clone(), kind, objects: of(kind).collect() };
        kinds(&self.origin, &self.options.kinds()).into_iter().map(list).collect()
    }

    fn differences(
        &self,
        before: &BTreeMap<ObjectKey, Arc<Value>>,
        now: &BTreeMap<ObjectKey, Arc<Value>>,
    ) -> Vec<ClusterEvent> {
        let gone = before.keys().filter(|key| !now.contains_key(key));
        let changed = now.iter().filter(|(key, object)| before.get(key) != Some(object));
        let origin = &self.origin;
        gone.map(|key| ClusterEvent::Deleted { origin: origin.clone(), key: key.clone() })
            .chain(
                changed
                    .map(|(key, object)| ClusterEvent::Applied { origin: origin.clone(), object: pruned(key, object) }),
            )
            .collect()
    }

    fn problem_events(&self, now: &BTreeMap<String, String>) -> Vec<ClusterEvent> {
        let subject = |name: &String| format!("{}: {name}", self.origin);
        let over = self.problems.keys().filter(|name| !now.contains_key(*name));
        let new = now.iter().filter(|(name, message)| self.problems.get(*name) != Some(*message));
        over.map(|name| ClusterEvent::Accepted { subject: subject(name) })
            .chain(
                new.map(|(name, message)| ClusterEvent::Refused { subject: subject(name), message: message.clone() }),
            )
            .collect()
    }
}

fn pruned(key: &ObjectKey, object: &Value) -> Value {
    let mut object = object.clone();
    prune(key.kind, &mut object);
    object
}
