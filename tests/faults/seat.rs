//! An instance with everything around it that can fail: its way to the table, what the table answers, its way to
//! the API server of beta, its wall clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::firewall::Dropping;
use super::injector::Injector;
use super::wall_clock;
use crate::process::instance::Instance;
use crate::process::kube_api::collection;
use crate::process::poll::Poller;
use crate::process::proxy::Proxy;
use crate::process::world::World;

pub struct Seat {
    pub name: &'static str,
    /// The network between instance and table.
    pub network: Proxy,
    /// The kernel's part in it.
    pub dropping: Option<Dropping>,
    /// What the table answers.
    pub injector: Injector,
    /// The network between instance and beta.
    pub beta: Proxy,
    pub instance: Instance,
    pub poller: Poller,
    /// Where libfaketime reads the offset of the wall clock.
    pub clock: PathBuf,
    /// Its process runs.
    pub alive: bool,
    with_clock: bool,
}

impl Seat {
    /// With `with_clock` its wall clock can be moved.
    pub async fn start(world: &Arc<World>, name: &'static str, with_clock: bool) -> Self {
        let injector = Injector::start(&world.dynamodb).await;
        let network = Proxy::start(&injector.endpoint).await;
        let beta = beta_behind_a_proxy(world, name).await;
        let clock = world.logs.join(format!("clock-{name}"));
        wall_clock::set(&clock, 0);
        let instance = launch(world, name, &network.endpoint, with_clock.then_some(&clock));
        let poller = Poller::start(&instance.url);
        Self { name, network, dropping: None, injector, beta, instance, poller, clock, alive: true, with_clock }
    }

    /// A new process.
    pub fn restart(&mut self, world: &Arc<World>) {
        let clock = self.with_clock.then_some(&self.clock);
        self.instance = launch(world, self.name, &self.network.endpoint, clock);
        self.poller = Poller::start(&self.instance.url);
        self.alive = true;
    }
}

fn launch(world: &World, name: &str, dynamodb: &str, clock: Option<&PathBuf>) -> Instance {
    let mut command = world.flagship(dynamodb);
    if let Some(clock) = clock {
        wall_clock::fake(&mut command, clock);
    }
    Instance::launch(world, name, &world.secrets_of(name), command, &[])
}

/// Sends the instance's requests to beta through a proxy from its next start on.
async fn beta_behind_a_proxy(world: &World, name: &str) -> Proxy {
    let mut kubeconfig = world.kubeconfigs(name).remove("beta").unwrap();
    let server = world.beta().server.clone();
    let proxy = Proxy::start(server.trim_start_matches("https://")).await;
    let through = proxy.endpoint.replace("http://", "https://");
    kubeconfig = kubeconfig.replace(&server, &through);
    let path = format!("{}/clusters", collection("Secret", &world.secrets_of(name)));
    let data = BTreeMap::from([("beta", kubeconfig)]);
    world.alpha().patch(&path, &json!({"stringData": data})).await;
    proxy
}
