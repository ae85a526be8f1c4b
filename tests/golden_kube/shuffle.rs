//! The events of a case in random order: every object keeps the order of its own events, nothing else does. The
//! instance starts somewhere in between. The end must be the case's, and the same with every seed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cases::{CONTROL, Case, Input, Verb};
use crate::compare::Mesh;
use crate::instance::Instance;
use crate::play::{World, id};

/// Seeds of a run that nobody asked more of.
const SEEDS: u64 = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub cluster: &'a str,
    pub verb: Verb,
    /// `None` where the instance becomes passive or active.
    pub object: Option<&'a Value>,
}

/// How many seeds are played, from 0.
pub fn seeds() -> u64 {
    std::env::var("FLAGSHIP_SEEDS").map_or(SEEDS, |text| text.parse().expect("FLAGSHIP_SEEDS is a number"))
}

/// Plays `case` once for every seed. With `in_steps`, its steps follow one another, as some cases are about which
/// cluster was first; events are shuffled within a step.
pub async fn play(world: &World, case: &Case, in_steps: bool) {
    let last = *case.steps().last().unwrap();
    let mut first_end: Option<Mesh> = None;
    for seed in 0..seeds() {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let rounds: Vec<_> = match in_steps {
            true => case.steps().into_iter().map(|step| (step, events(case.inputs_of(step)))).collect(),
            false => vec![(last, events(case.inputs.iter()))],
        };
        world.furnish(case).await;
        let directory = tempfile::tempdir().unwrap();
        let (mut instance, mut end) = (None, Mesh::new());
        let mut is_active = !case.starts_passive();
        for (step, events) in rounds {
            let order = random.interleave(events);
            let start = random.below(order.len() + 1);
            for (i, event) in order.iter().enumerate() {
                if i == start && instance.is_none() {
                    instance = Some(world.start(case, is_active, directory.path()).await);
                }
                let Some(object) = event.object else {
                    is_active = event.verb == Verb::ReadWrite;
                    if let Some(running) = instance.take() {
                        Instance::stop(running).await;
                        instance = Some(world.start(case, is_active, directory.path()).await);
                    }
                    continue;
                };
                world.happen(event.cluster, event.verb, object).await;
            }
            if instance.is_none() {
                instance = Some(world.start(case, is_active, directory.path()).await);
            }
            end = world.settled(instance.as_ref().unwrap(), case, step, &format!("seed {seed}: {order:#?}")).await;
        }
        instance.unwrap().stop().await;
        let end = comparable(end);
        let expected = first_end.get_or_insert_with(|| end.clone());
        assert_eq!(*expected, end, "{}: seed {seed} ends otherwise than seed 0", case.name);
        world.clean().await;
    }
    println!("{}: {} seeds, one end", case.name, seeds());
}

/// The events of each object, in their order.
fn events<'a>(inputs: impl Iterator<Item = &'a Input>) -> Vec<Vec<Event<'a>>> {
    let mut by_object = BTreeMap::<(bool, [String; 3]), Vec<Event<'a>>>::new();
    for input in inputs {
        let (cluster, verb) = (input.cluster.as_str(), input.verb);
        if matches!(verb, Verb::ReadOnly | Verb::ReadWrite) {
            let mode = (true, [String::new(), String::new(), CONTROL.to_owned()]);
            by_object.entry(mode).or_default().push(Event { cluster, verb, object: None });
        }
        for object in &input.objects {
            let verb = if matches!(verb, Verb::ReadOnly | Verb::ReadWrite) { Verb::Create } else { verb };
            let mut key = id(object);
            key[0] = format!("{cluster} {}", key[0]);
            by_object.entry((false, key)).or_default().push(Event { cluster, verb, object: Some(object) });
        }
    }
    by_object.into_values().collect()
}

/// The mesh without what differs from one run to the next and means nothing.
fn comparable(mut mesh: Mesh) -> Mesh {
    for object in mesh.values_mut().flatten() {
        let fields = object.as_object_mut().unwrap();
        fields.remove("status");
        let metadata = fields["metadata"].as_object_mut().unwrap();
        metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(flagship::mesh::marks::EPOCH);
        }
    }
    mesh
}

/// Random numbers that are the same everywhere: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// One sequence of all, in which each keeps its order.
    fn interleave<T>(&mut self, queues: Vec<Vec<T>>) -> Vec<T> {
        let mut queues: Vec<_> = queues.into_iter().map(Vec::into_iter).collect();
        let mut order = Vec::new();
        loop {
            queues.retain(|queue| queue.len() > 0);
            if queues.is_empty() {
                return order;
            }
            // By length, so that every order is as likely as any other.
            let mut at = self.below(queues.iter().map(ExactSizeIterator::len).sum());
            for queue in &mut queues {
                if at < queue.len() {
                    order.extend(queue.next());
                    break;
                }
                at -= queue.len();
            }
        }
    }
}
