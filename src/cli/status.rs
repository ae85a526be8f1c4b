//! `flagship status`: several instances side by side.

mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Failure, block_on, parse};
use crate::text::print;

/// How long one instance may take to answer. Longer than its reconciler's own limit.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Show who is active. The exit code is 0 if exactly one of the instances asked is.
#[derive(Clone, Debug, Args)]
pub struct StatusCommand {
    /// An instance's API; repeat it, or separate several by commas.
    #[arg(long = "url", env = "FLAGSHIP_URL", value_name = "URL", value_delimiter = ',', value_parser = parse::url)]
    #[arg(default_value = "http://127.0.0.1:8080")]
    urls: Vec<String>,
    /// How to print it.
    #[arg(long, short, env = "FLAGSHIP_OUTPUT", value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// One instance's answer, or why there is none.
#[derive(Debug)]
struct Report {
    url: String,
    status: Result<Value, String>,
}

impl StatusCommand {
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let reports = block_on(fetch_all(self.urls))?;
        match self.output {
            Output::Table => print(&table::render(&reports))?,
            Output::Json => print(&format!("{:#}\n", as_json(&reports)))?,
        }
        Ok(if count_active(&reports) == 1 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

async fn fetch_all(urls: Vec<String>) -> anyhow::Result<Vec<Report>> {
    // A proxy between an operator and a health answer would only be one more thing to suspect.
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build();
    let client = client.context("could not make an HTTP client")?;
    let fetches = urls.into_iter().map(|url| async {
        let status = fetch(&client, &url).await;
        Report { url, status }
    });
    Ok(futures::future::join_all(fetches).await)
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Value, String> {
    let response = client.get(format!("{url}/api/v1/status")).send().await.map_err(|error| in_short(&error))?;
    if !response.status().is_success() {
        return Err(format!("answered {}; is it a Flagship?", response.status()));
    }
    response.json().await.map_err(|error| format!("answered what is no status: {}", in_short(&error)))
}

pub(super) fn in_short(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ANSWER_WITHIN.as_secs());
    }
    // The innermost cause is the one that says what happened.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn count_active(reports: &[Report]) -> usize {
    reports.iter().filter(|r| r.status.as_ref().is_ok_and(|s| s["state"] == "active")).count()
}

fn as_json(reports: &[Report]) -> Value {
    let one = |report: &Report| match &report.status {
        Ok(status) => json!({ "url": report.url, "status": status }),
        Err(error) => json!({ "url": report.url, "error": error }),
    };
    json!({ "active": count_active(reports), "instances": reports.iter().map(one).collect::<Vec<_>>() })
}
