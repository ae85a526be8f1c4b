//! `flagship explain`: asks a running instance, or looks at the clusters itself.

mod text;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::args::{ClusterArgs, MeshArgs};
use super::status::in_short;
use super::{Failure, block_on, parse};
use crate::cluster::source::ClusterSource;
use crate::explain::{Explanation, Question};
use crate::options::ExplainOptions;
use crate::text::print;

/// How long an instance may take to answer. Longer than its reconciler's own limit.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

/// Where an instance answers if nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Say why a service is, or is not, where somebody looks for it: its workloads, what each cluster holds of it and by
/// which rule, and what to do about what is missing. The exit code is 0 if it is in the mesh at all.
#[derive(Clone, Debug, Args)]
pub struct ExplainCommand {
    /// The identity, in any spelling, or one of its hosts.
    identity: String,
    /// Only this environment.
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// An instance's API, active or passive; of several the first that answers. Without this, and with --cluster or
    /// --control, the clusters themselves are read, as `flagship render` does [default: http://127.0.0.1:8080].
    #[arg(long = "url", env = "FLAGSHIP_URL", value_name = "URL", value_delimiter = ',', value_parser = parse::url)]
    urls: Vec<String>,
    /// How to print it.
    #[arg(long, short, env = "FLAGSHIP_OUTPUT", value_name = "FORMAT", default_value = "text")]
    output: Output,
    #[command(flatten)]
    clusters: ClusterArgs,
    #[command(flatten)]
    mesh: MeshArgs,
}

/// An answer and who gave it.
struct Answer {
    explanation: Explanation,
    by: String,
}

impl ExplainCommand {
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let output = self.output;
        let Answer { explanation, by } = self.ask()?;
        match output {
            Output::Text => print(&text::render(&explanation, &by))?,
            Output::Json => {
                let json = serde_json::to_string_pretty(&explanation).context("could not write the answer as JSON")?;
                print(&format!("{json}\n"))?;
            }
        }
        Ok(if explanation.in_mesh { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn ask(self) -> Result<Answer, Failure> {
        let Self { identity, env, mut urls, output: _, clusters, mesh } = self;
        let question = Question { identity, env };
        let clusters = clusters.resolve().map_err(Failure::Usage)?;
        if urls.is_empty() && (clusters.control != ClusterSource::Kube || !clusters.named.is_empty()) {
            let options = ExplainOptions { clusters, mesh: mesh.resolve(), question };
            let explanation = block_on(crate::runtime::explain(options))?;
            return Ok(Answer { explanation, by: "from the clusters themselves".to_owned() });
        }
        if urls.is_empty() {
            urls.push(DEFAULT_URL.to_owned());
        }
        block_on(first_answer(urls, question))
    }
}

async fn first_answer(urls: Vec<String>, question: Question) -> anyhow::Result<Answer> {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build();
    let client = client.context("could not make an HTTP client")?;
    let mut failures = Vec::new();
    for url in urls {
        match fetch(&client, &url, &question).await {
            Ok(answer) => return Ok(answer),
            Err(error) => failures.push(format!("{url}: {error}")),
        }
    }
    bail!(
        "no instance answered ({}); give the API of a running one with --url, or clusters with --control and --cluster",
        failures.join("; ")
    )
}

async fn fetch(client: &reqwest::Client, url: &str, question: &Question) -> Result<Answer, String> {
    let mut address = format!("{url}/api/v1/explain?identity={}", encoded(&question.identity));
    if let Some(env) = &question.env {
        address += &format!("&env={}", encoded(env));
    }
    let response = client.get(address).send().await.map_err(|error| in_short(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    if !status.is_success() {
        let told = response.json::<Value>().await.ok();
        let told = told.as_ref().and_then(|body| body["error"].as_str());
        return Err(told.map_or_else(|| format!("answered {status}; is it a Flagship?"), str::to_owned));
    }
    let explanation =
        response.json().await.map_err(|error| format!("answered what is no explanation: {}", in_short(&error)))?;
    let state = headers.get(crate::http::STATE_HEADER).and_then(|state| state.to_str().ok()).unwrap_or("unknown");
    Ok(Answer { explanation, by: format!("as {url}, which is {state}, sees it") })
}

/// `text` as a part of a query: everything but letters, digits and a few marks as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_a_query() {
        assert_eq!(encoded("A-b_c.d~1"), "A-b_c.d~1");
        assert_eq!(encoded("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }
}
