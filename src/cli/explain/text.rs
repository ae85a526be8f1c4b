//! An explanation for people.

use serde_json::Value;

use crate::explain::{Explanation, HostNote, ObjectNote};
use crate::text::columns;

/// The whole answer; `by` says who gave it.
pub fn render(answer: &Explanation, by: &str) -> String {
    let mut text = format!("{}\n({by})\n", answer.summary);
    if !answer.workloads.is_empty() {
        text += &format!("\n{}", columns(&workloads(answer)));
    }
    for host in &answer.hosts {
        text += &host_block(host);
    }
    if !answer.others.is_empty() {
        text += "\nFURTHER OBJECTS OF THE IDENTITY\n";
        text += &indented(&columns(
            &answer.others.iter().map(|o| row([&o.cluster, &o.object, &o.state])).collect::<Vec<_>>(),
        ));
    }
    if !answer.callers.is_empty() {
        text += &format!("\nCALLED BY\n{}", indented(&columns(&callers(answer))));
    }
    if !answer.calls.is_empty() {
        text += &format!("\nCALLS {}\n", answer.calls.join(", "));
    }
    if !answer.similar.is_empty() {
        text += &format!("\nSPELT ALIKE {}\n", answer.similar.join(", "));
    }
    if !answer.findings.is_empty() {
        text += "\nWHAT TO LOOK AT\n";
    }
    for finding in &answer.findings {
        let place = if finding.cluster.is_empty() { String::new() } else { format!(" in {}", finding.cluster) };
        text += &format!("! {}: {}{place}: {}\n", finding.reason, finding.subject, finding.message);
    }
    text
}

fn workloads(answer: &Explanation) -> Vec<Vec<String>> {
    let mut rows = vec![row(["WORKLOAD", "CLUSTER", "ENV", "SERVICE", "PORT", "PART"])];
    rows.extend(answer.workloads.iter().map(|w| {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        row([&w.workload, &w.cluster, &w.env, &or_none(&w.service), &or_none(&w.port), &word(w.part)])
    }));
    rows
}

fn callers(answer: &Explanation) -> Vec<Vec<String>> {
    let place = |clusters: &[String]| match clusters {
        [] => "in no cluster".to_owned(),
        _ => format!("in {}", clusters.join(", ")),
    };
    let rows = answer.callers.iter();
    rows.map(|c| row([&c.client, &place(&c.clusters), &format!("Dependency {}", c.record)])).collect()
}

fn host_block(host: &HostNote) -> String {
    let address = host.address.as_deref().unwrap_or("no address");
    let mut text = format!("\n{} ({address})\n", host.host);
    for cluster in &host.clusters {
        text += &format!("  {} ({}): {}\n", cluster.cluster, word(cluster.role), cluster.rule);
        for object in &cluster.objects {
            text += &object_lines(object);
        }
    }
    text
}

fn object_lines(object: &ObjectNote) -> String {
    let mut text = format!("    {}: {} ({})\n", object.object, object.state, object.rule);
    for endpoint in &object.endpoints {
        text += &format!("      -> {endpoint}\n");
    }
    text
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

/// An enum as the JSON form spells it.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}
