//! The table of suspended identities in a real DynamoDB engine: read alone, and followed by a `flagship run` process
//! whose cluster is a folder.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/dynamodb.rs"]
mod dynamodb;
#[path = "support/servers.rs"]
mod servers;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use flagship::suspension::{Answer, Source, SuspensionTable, TableOptions};
use serde_json::Value;

/// Bounds a wait; a healthy run needs a small part of it.
const WITHIN: Duration = Duration::from_secs(60);

struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// Admiral says nothing of the table's key, so that it is called otherwise here.
    async fn new() -> Self {
        let table =
            Self { client: dynamodb::client(&servers::dynamodb_endpoint()), name: dynamodb::unique("suspended") };
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
        let attribute =
            AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build().unwrap();
        let create =
            table.client.create_table().table_name(&table.name).key_schema(key).attribute_definitions(attribute);
        create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
        table
    }

    async fn put(&self, id: &str, environment: &str, enabled: AttributeValue, rows: &[(&str, &[&str])]) {
        let envs = |envs: &[&str]| AttributeValue::L(envs.iter().map(|env| AttributeValue::S((*env).into())).collect());
        let rows: HashMap<_, _> = rows.iter().map(|(identity, of)| ((*identity).to_owned(), envs(of))).collect();
        let put = self.client.put_item().table_name(&self.name).item("id", AttributeValue::S(id.into()));
        let put = put.item("clusterEnvironment", AttributeValue::S(environment.into())).item("enabled", enabled);
        put.item("all", AttributeValue::Bool(false))
            .item("environmentsByIdentities", AttributeValue::M(rows))
            .send()
            .await
            .unwrap();
    }

    fn source(&self, table: &str) -> SuspensionTable {
        let options = TableOptions {
            table: table.to_owned(),
            environment: "dev".to_owned(),
            region: Some("us-west-2".to_owned()),
            assume_role: None,
        };
        SuspensionTable::with_client(self.client.clone(), options)
    }
}

#[tokio::test]
async fn the_item_of_the_environment_is_found_whatever_the_key() {
    let table = Table::new().await;
    let source = table.source(&table.name);
    assert_eq!(source.read().await.unwrap().answer, Answer::Absent);
    table.put("1", "prod", AttributeValue::S("nonsense".into()), &[("other", &[])]).await;
    table.put("2", "dev", AttributeValue::Bool(true), &[("greeting", &["stage"]), ("web", &[""])]).await;
    let reading = source.read().await.unwrap();
    assert!(reading.problems.is_empty(), "another environment's item is not ours to judge: {reading:?}");
    let Answer::Item(found) = reading.answer else { panic!("{reading:?}") };
    assert!(found.covers("greeting", "stage") && !found.covers("greeting", "prod") && found.covers("web", "x"));
    assert!(!found.covers("other", "x"));
}

#[tokio::test]
async fn an_item_behind_many_others_is_found() {
    let table = Table::new().await;
    // More than one page of 1 MB.
    let filler = AttributeValue::S("x".repeat(300_000));
    for n in 0..8 {
        let id = AttributeValue::S(format!("filler-{n}"));
        let put = table.client.put_item().table_name(&table.name).item("id", id).item("text", filler.clone());
        put.send().await.unwrap();
    }
    table.put("mine", "dev", AttributeValue::Bool(true), &[("greeting", &[])]).await;
    let reading = table.source(&table.name).read().await.unwrap();
    let Answer::Item(found) = reading.answer else { panic!("{reading:?}") };
    assert!(found.covers("greeting", "any"));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_with_a_remedy() {
    let table = Table::new().await;
    let error = table.source("no-such-table").read().await.unwrap_err();
    assert!(error.contains("no-such-table") && error.contains("--suspension-table"), "{error}");
}

/// The program with its environment.
fn flagship() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagship"));
    command.env_clear().envs(std::env::vars().filter(|(name, _)| !name.starts_with("FLAGSHIP_")));
    command.env("AWS_ENDPOINT_URL", servers::dynamodb_endpoint()).env("AWS_REGION", "us-west-2");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

struct Instance {
    child: Child,
    url: String,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Instance {
    /// One that follows `table`, with these arguments too.
    fn start(folder: &Path, table: &str, more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let folder_of = |name: &str| format!("folder:{}", folder.join(name).display());
        let mut command = flagship();
        command.args(["run", "--metrics=false", "--listen", &listen]).args(more);
        command.args(["--control", &folder_of("control"), "--cluster", &format!("west={}", folder_of("west"))]);
        command.args(["--suspension-table", table, "--suspension-environment", "dev", "--suspension-interval", "1s"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, url: format!("http://{listen}") }
    }

    async fn conditions(&self) -> String {
        let Ok(answer) = reqwest::get(format!("{}/api/v1/conditions", self.url)).await else { return String::new() };
        answer.json::<Value>().await.map(|value| value.to_string()).unwrap_or_default()
    }

    async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("{}/health/ready", self.url)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

/// A cluster with two identities.
fn cluster() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["control", "west"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut text = String::from(
        "apiVersion: v1\nkind: Node\nmetadata: {name: n, labels: {topology.kubernetes.io/region: us-west-2}}\n",
    );
    for name in ["greeting", "other"] {
        text += &format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: ns}}\nspec:\n  selector: \
             {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata:\n      labels: {{app: {name}, identity: {name}, \
             env: stage}}\n      annotations: {{sidecar.istio.io/inject: \"true\"}}\n---\napiVersion: v1\nkind: Service\n\
             metadata: {{name: {name}, namespace: ns}}\nspec:\n  selector: {{app: {name}}}\n  ports: [{{name: http, port: \
             8080}}]\n"
        );
    }
    std::fs::write(folder.path().join("west/mesh.yaml"), text).unwrap();
    folder
}

/// Whether the folder holds a generated object of this identity.
fn has(folder: &Path, identity: &str) -> bool {
    let host = format!("stage.{identity}.global");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().any(|path| match path.is_dir() {
        true => has(&path, identity),
        false => std::fs::read_to_string(&path).unwrap_or_default().contains(&host),
    })
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + WITHIN;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "not within {WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_instance_with_admirals_checker_has_the_lease_and_follows_the_table() {
    let table = Table::new().await;
    table.put("1", "dev", AttributeValue::Bool(true), &[("greeting", &["stage"])]).await;
    let folder = cluster();
    let west = folder.path().join("west");
    let lease = dynamodb::unique("lease");
    let init = flagship().args(["lease", "init", "--create-table", "--lease-table", &lease]).output().unwrap();
    assert!(init.status.success(), "{init:?}");
    let checker = ["--state-checker", "dynamodbbasedignoreidentitylistchecker", "--lease-table", &lease];
    let instance = Instance::start(folder.path(), &table.name, &checker);
    until("the other identity is written", async || has(&west, "other")).await;
    until("people are told", async || instance.conditions().await.contains("\"Suspended\"")).await;
    assert!(!has(&west, "greeting"), "it is suspended");
    // A value of the wrong type is told and changes nothing.
    table.put("1", "dev", AttributeValue::S("no".into()), &[]).await;
    until("the value is refused", async || instance.conditions().await.contains("make it a BOOL")).await;
    assert!(!has(&west, "greeting"), "the last answer stays in force");
    table.put("1", "dev", AttributeValue::Bool(false), &[("greeting", &[])]).await;
    until("it is written once the suspension ends", async || has(&west, "greeting")).await;
}

#[tokio::test]
async fn an_instance_that_cannot_read_the_table_writes_nothing_and_says_so() {
    let folder = cluster();
    let name = dynamodb::unique("absent");
    let instance = Instance::start(folder.path(), &name, &["--state-checker", "noop"]);
    until("people are told", async || instance.conditions().await.contains("there is no such table")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!instance.is_ready().await);
    let west = folder.path().join("west");
    assert!(!has(&west, "greeting") && !has(&west, "other"));
}

#[test]
fn half_a_configuration_is_refused_with_what_is_missing() {
    for (args, words) in [
        (&["--suspension-table", "t", "--print-config"][..], "there is no --suspension-environment"),
        (&["--suspension-environment", "dev", "--print-config"], "there is no --suspension-table"),
        (&["--state-checker", "ignoreidentity"], "give --suspension-table and --suspension-environment"),
    ] {
        let output = flagship().arg("run").args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(words), "{args:?}: {text}");
    }
}
