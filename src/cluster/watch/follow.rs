//! Following a collection of an API server: list, watch, and list again after every error.
//!
//! Invariant: the listener gets a complete list before anything else and after each failure.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, ListSemantic};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::cluster::backoff::Backoff;

/// Length of one watch call, in seconds; the server ends it and it is taken up again where it ended. Short,
/// so that a connection that died without a word is noticed within this and five seconds.
const WATCH_SECONDS: u32 = 30;
/// Objects per page of a list.
const PAGE: u32 = 500;
/// How long a kind that a server does not have is not asked for.
const ABSENT_WAIT: Duration = Duration::from_secs(60);
/// A watch that worked for this long has recovered from what came before.
const SETTLED: Duration = Duration::from_secs(30);

/// What happened in the collection, of whose objects `T` is kept.
#[derive(Debug)]
pub enum Step<T> {
    /// These are all objects.
    Listed(Vec<T>),
    /// One was created or changed.
    Applied(T),
    /// One is gone.
    Deleted(T),
    /// The list or watch failed and will be tried again.
    Failed(watcher::Error),
}

/// Someone who is told what happens.
pub trait Listener<K>: Send {
    /// What is kept of an object.
    type Kept: Send;

    /// Takes from an object what is kept, as soon as it has come: a list is never held whole. `None` passes it over.
    fn keep(&self, object: K) -> Option<Self::Kept>;

    /// Takes one step. `false` ends the following.
    fn step(&mut self, step: Step<Self::Kept>) -> impl Future<Output = bool> + Send;

    /// Whether the error means that there is nothing to follow: then it is tried again seldom.
    fn is_absent(&self, _error: &watcher::Error) -> bool {
        false
    }
}

/// Follows `api` until the listener has had enough. `labels` selects objects; `streaming` asks for streamed
/// lists, and falls back to pages when the server refuses.
pub async fn follow<K>(
    api: Api<K>,
    labels: Option<&str>,
    mut streaming: bool,
    mut backoff: Backoff,
    listener: &mut impl Listener<K>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    loop {
        let started = tokio::time::Instant::now();
        let Some(error) = until_error(api.clone(), config(labels, streaming), listener).await else { return };
        if streaming && is_refusal_to_stream(&error) {
            streaming = false;
            continue;
        }
        if started.elapsed() >= SETTLED {
            backoff.reset();
        }
        let is_absent = listener.is_absent(&error);
        if !listener.step(Step::Failed(error)).await {
            return;
        }
        let wait = backoff.next_wait();
        tokio::time::sleep(if is_absent { ABSENT_WAIT + wait } else { wait }).await;
    }
}

/// An error of a watch with its causes, each said once.
pub fn describe(error: &watcher::Error) -> String {
    match error {
        // Its own text repeats the whole Status in debug form.
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            format!("{} {}", status.code, status.message)
        }
        watcher::Error::WatchError(status) => format!("{} {}", status.code, status.message),
        error => crate::cluster::target::describe(error),
    }
}

/// `None` when the listener has had enough.
async fn until_error<K>(api: Api<K>, config: watcher::Config, listener: &mut impl Listener<K>) -> Option<watcher::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = std::pin::pin!(kube::runtime::watcher(api, config));
    let mut list = Vec::new();
    while let Some(event) = events.next().await {
        let step = match event {
            Err(error) => return Some(error),
            Ok(Event::Init) => {
                list.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                list.extend(listener.keep(object));
                continue;
            }
            Ok(Event::InitDone) => Some(Step::Listed(std::mem::take(&mut list))),
            Ok(Event::Apply(object)) => listener.keep(object).map(Step::Applied),
            Ok(Event::Delete(object)) => listener.keep(object).map(Step::Deleted),
        };
        let Some(step) = step else { continue };
        if !listener.step(step).await {
            return None;
        }
    }
    None
}

fn config(labels: Option<&str>, streaming: bool) -> watcher::Config {
    let config = watcher::Config { label_selector: labels.map(str::to_owned), ..watcher::Config::default() };
    let config = config.timeout(WATCH_SECONDS);
    if streaming { config.streaming_lists() } else { config.list_semantic(ListSemantic::MostRecent).page_size(PAGE) }
}

/// A server that does not know or allow `sendInitialEvents` says 400 or 422.
fn is_refusal_to_stream(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if matches!(status.code, 400 | 422))
}
