//! The table for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::{Report, count_active};
use crate::text::columns;

/// Instances, then clusters, then what is wrong and what to do.
pub fn render(reports: &[Report]) -> String {
    let mut text = columns(&instances(reports));
    let clusters = clusters(reports);
    if clusters.len() > 1 {
        text.push('\n');
        text.push_str(&columns(&clusters));
    }
    let mut remarks: BTreeSet<String> = reports.iter().flat_map(remarks).collect();
    match count_active(reports) {
        1 => {}
        0 => drop(remarks.insert("nobody is active: nothing is written until one instance holds the lease".into())),
        n => drop(remarks.insert(format!("{n} instances are active: do they share one lease table and lease name?"))),
    }
    for remark in remarks {
        let _ = writeln!(text, "\n! {remark}");
    }
    text
}

fn instances(reports: &[Report]) -> Vec<Vec<String>> {
    let mut rows = vec![row(["INSTANCE", "REGION", "STATE", "EPOCH", "PERMIT", "SYNCED", "PENDING", "URL"])];
    for Report { url, status } in reports {
        rows.push(match status {
            Err(_) => row(["-", "-", "unreachable", "-", "-", "-", "-", url]),
            Ok(status) => {
                let pending: u64 = list(&status["mesh"]["clusters"]).filter_map(|c| c["pendingChanges"].as_u64()).sum();
                row([
                    &word(&status["instance"]["name"]),
                    &word(&status["instance"]["region"]),
                    &word(&status["state"]),
                    &status["epoch"].to_string(),
                    &permit(status),
                    yes_no(&status["synced"]),
                    &pending.to_string(),
                    url,
                ])
            }
        });
    }
    rows
}

fn permit(status: &Value) -> String {
    match (status["permitRemainingMs"].as_u64(), &status["state"]) {
        (Some(ms), _) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        (None, state) if state == "active" => "no end".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// As the active sees them, or whoever answered first.
fn clusters(reports: &[Report]) -> Vec<Vec<String>> {
    let answers = || reports.iter().filter_map(|report| report.status.as_ref().ok());
    let witness = answers().find(|s| s["state"] == "active").or_else(|| answers().next());
    let mut rows = vec![row(["CLUSTER", "REGION", "GATEWAY", "SYNCED", "WORKLOADS", "WANTED", "PENDING"])];
    rows.extend(list(witness.map_or(&Value::Null, |s| &s["mesh"]["clusters"])).map(|cluster| {
        row([
            &word(&cluster["name"]),
            &word(&cluster["region"]),
            &word(&cluster["gateway"]),
            yes_no(&cluster["synced"]),
            &cluster["workloads"].to_string(),
            &cluster["desiredObjects"].to_string(),
            &cluster["pendingChanges"].to_string(),
        ])
    }));
    rows
}

fn remarks(report: &Report) -> Vec<String> {
    let status = match &report.status {
        Err(error) => return vec![format!("{}: {error}", report.url)],
        Ok(status) => status,
    };
    let who = word(&status["instance"]["name"]);
    let mut remarks = Vec::new();
    for error in [&status["checker"]["lastError"], &status["meshError"]] {
        remarks.extend(error.as_str().filter(|text| !text.is_empty()).map(|text| format!("{who}: {text}")));
    }
    for cluster in list(&status["mesh"]["clusters"]) {
        let error = cluster["lastError"].as_str().filter(|text| !text.is_empty());
        remarks.extend(error.map(|text| format!("cluster {}: {text}", word(&cluster["name"]))));
    }
    for condition in list(&status["mesh"]["conditions"]) {
        let place = condition["cluster"].as_str().filter(|c| !c.is_empty()).map(|c| format!(" in {c}"));
        let (reason, subject) = (word(&condition["reason"]), word(&condition["subject"]));
        let message = word(&condition["message"]);
        remarks.push(format!("{reason}: {subject}{}: {message}", place.unwrap_or_default()));
    }
    remarks
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn word(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

fn yes_no(value: &Value) -> &'static str {
    if value == true { "yes" } else { "no" }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instance(name: &str, state: &str) -> Report {
        let status = json!({
            "instance": {"name": name, "region": "us-west-2"}, "state": state, "epoch": 3,
            "permitRemainingMs": if state == "active" { json!(9120) } else { Value::Null }, "synced": true,
            "checker": {"lastError": ""},
            "mesh": {
                "clusters": [{"name": "west", "region": "us-west-2", "gateway": "", "synced": true, "workloads": 2,
                              "desiredObjects": 4, "pendingChanges": 1, "lastError": ""}],
                "conditions": [{"cluster": "west", "subject": "Service a/b", "reason": "NoGateway", "message": "do this"}],
            },
        });
        Report { url: format!("http://{name}:8080"), status: Ok(status) }
    }

    #[test]
    fn a_healthy_pair_with_a_condition_and_an_unreachable_third() {
        let gone = Report { url: "http://c:8080".into(), status: Err("connection refused".into()) };
        let reports = [instance("a", "active"), instance("b", "passive"), gone];
        assert_eq!(
            render(&reports),
            "INSTANCE  REGION     STATE        EPOCH  PERMIT  SYNCED  PENDING  URL\n\
             a         us-west-2  active       3      9.1 s   yes     1        http://a:8080\n\
             b         us-west-2  passive      3      -       yes     1        http://b:8080\n\
             -         -          unreachable  -      -       -       -        http://c:8080\n\
             \n\
             CLUSTER  REGION     GATEWAY  SYNCED  WORKLOADS  WANTED  PENDING\n\
             west     us-west-2  -        yes     2          4       1\n\
             \n\
             ! NoGateway: Service a/b in west: do this\n\
             \n\
             ! http://c:8080: connection refused\n"
        );
    }

    #[test]
    fn none_and_two_actives_are_remarked() {
        assert!(render(&[instance("a", "passive")]).contains("nobody is active"));
        assert!(render(&[instance("a", "active"), instance("b", "active")]).contains("2 instances are active"));
    }
}
