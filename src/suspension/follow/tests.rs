//! What the follower tells, and when: a scripted table in virtual time.

use std::collections::VecDeque;
use std::sync::Mutex;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::cluster::event;
use crate::mesh::Envs;

/// Answers in turn; then the last one again and again. `None` hangs.
struct Script(Mutex<VecDeque<Option<Result<Reading, String>>>>);

impl Source for Script {
    fn describe(&self) -> String {
        "t".to_owned()
    }

    fn read(&self) -> BoxFuture<'_, Result<Reading, String>> {
        let next = {
            let mut script = self.0.lock().unwrap();
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
        };
        Box::pin(async move {
            match next {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

fn says(identities: &[&str]) -> Option<Result<Reading, String>> {
    let identities = identities.iter().map(|identity| ((*identity).to_owned(), Envs::Every)).collect();
    let answer = Answer::Item(Suspension::new("t", false, identities));
    Some(Ok(Reading { answer, problems: BTreeMap::new() }))
}

fn without_item(answer: Answer, problem: &str) -> Option<Result<Reading, String>> {
    Some(Ok(Reading { answer, problems: BTreeMap::from([("t, field".to_owned(), problem.to_owned())]) }))
}

fn fails(error: &str) -> Option<Result<Reading, String>> {
    Some(Err(error.to_owned()))
}

struct Run {
    events: mpsc::Receiver<ClusterEvent>,
    metrics: Arc<Metrics>,
    started: Instant,
}

fn run(script: impl IntoIterator<Item = Option<Result<Reading, String>>>) -> Run {
    let (sender, events) = event::channel();
    let metrics = Arc::new(Metrics::new("1"));
    let source = Script(Mutex::new(script.into_iter().collect()));
    tokio::spawn(follow(source, Duration::from_secs(60), sender, metrics.clone()));
    Run { events, metrics, started: Instant::now() }
}

impl Run {
    /// The next event, and the seconds since the start.
    async fn next(&mut self) -> (String, u64) {
        let event = match self.events.recv().await.unwrap() {
            ClusterEvent::Suspended(table) => format!("suspended {:?}", table.identities().collect::<Vec<_>>()),
            ClusterEvent::Refused { subject, message } => format!("refused {subject}: {message}"),
            ClusterEvent::Accepted { subject } => format!("accepted {subject}"),
            other => panic!("{other:?}"),
        };
        (event, self.started.elapsed().as_secs())
    }

    async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(600), self.events.recv()).await.is_err()
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_new_is_told_at_each_interval() {
    let mut run = run([says(&["a"]), says(&["a"]), says(&["a", "b"]), says(&[])]);
    assert_eq!(run.next().await, ("suspended [\"a\"]".to_owned(), 0));
    assert_eq!(run.next().await, ("suspended [\"a\", \"b\"]".to_owned(), 120));
    assert_eq!(run.next().await, ("suspended []".to_owned(), 180));
    assert!(run.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_the_last_answer_stays() {
    let mut run = run([says(&["a"]), fails("x"), fails("y"), None, fails("z"), says(&["a"])]);
    run.next().await;
    let (told, at) = run.next().await;
    assert!(told.starts_with("refused t, reading it: x") && told.contains("last answer stays in force"), "{told}");
    assert_eq!(at, 60);
    // Three more failures, one of them without an end of its own: tried again soon, told no more.
    assert_eq!(run.next().await, ("accepted t, reading it".to_owned(), 60 + 5 + 5 + 15 + 5 + 5));
    assert!(run.is_silent().await, "nobody's suspension changed");
    let text = run.metrics.encode(None, 0, crate::instant::Instant::from_origin(Duration::ZERO)).unwrap();
    assert!(text.contains("flagship_suspension_reads_total{outcome=\"failed\"} 4"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn before_the_first_answer_nobody_is_told_that_nobody_is_suspended() {
    let mut run = run([fails("x"), without_item(Answer::Unusable, "bad"), without_item(Answer::Absent, "none")]);
    let (told, _) = run.next().await;
    assert!(told.contains("nothing is written before it has answered once"), "{told}");
    assert_eq!(run.next().await.0, "accepted t, reading it");
    assert_eq!(run.next().await.0, "refused t, field: bad");
    assert_eq!(run.next().await.0, "refused t, field: none");
    assert_eq!(run.next().await.0, "suspended []", "a table that can be read and has no item");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_vanishes_or_breaks_leaves_the_last_answer_in_force() {
    let gone = without_item(Answer::Absent, "none");
    let mut run = run([says(&["a"]), gone, without_item(Answer::Unusable, "bad"), says(&["a"])]);
    run.next().await;
    assert_eq!(run.next().await.0, "refused t, field: none");
    assert_eq!(run.next().await.0, "refused t, field: bad");
    assert_eq!(run.next().await.0, "accepted t, field");
    assert!(run.is_silent().await);
}
