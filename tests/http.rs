//! The HTTP API as its clients see it: load balancers, Admiral's users, people.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[path = "http/support.rs"]
mod support;

use std::time::Duration;

use axum::http::{Method, StatusCode};
use flagship::checker::permit::{Permit, State};
use flagship::checker::status::LeaseView;
use serde_json::{Value, json};
use support::{Answer, Service, at};

const ASK: &str = "/health/ready?checkifreadonly=true";

fn permit(epoch: u64, deadline_s: u64) -> Option<Permit> {
    Some(Permit { epoch, deadline: at(deadline_s) })
}

#[tokio::test]
async fn the_active_is_200_and_the_passive_502() {
    let service = Service::synced();
    assert_eq!(service.get(ASK).await.status, StatusCode::BAD_GATEWAY);
    service.mode.set(permit(4, 110));
    assert_eq!(service.get(ASK).await.status, StatusCode::OK);
    service.mode.set(None);
    assert_eq!(service.get(ASK).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_expired_permit_is_502_without_any_message() {
    let service = Service::synced();
    service.mode.set(permit(4, 110));
    service.clock.set(at(109));
    assert_eq!(service.get(ASK).await.status, StatusCode::OK);
    service.clock.set(at(110));
    let answer = service.get(ASK).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.header("x-flagship-state"), "passive");
}

#[tokio::test]
async fn the_health_matrix() {
    // state, synced, query, status
    let ok = StatusCode::OK;
    let (readonly, unready) = (StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE);
    let cases = [
        (State::Active, true, "", ok),
        (State::Passive, true, "", ok),
        (State::Active, false, "", unready),
        (State::Passive, false, "", unready),
        (State::Active, true, "?checkifreadonly=true", ok),
        (State::Passive, true, "?checkifreadonly=true", readonly),
        (State::Active, false, "?checkifreadonly=true", unready),
        (State::Passive, false, "?checkifreadonly=true", readonly),
        (State::Passive, true, "?checkifreadonly=false", ok),
        (State::Passive, true, "?checkifreadonly=", ok),
        (State::Passive, true, "?checkifreadonly", ok),
        (State::Passive, true, "?other=1&checkifreadonly=true&x", readonly),
        (State::Passive, true, "?checkifreadonly=true&checkifreadonly=false", readonly),
        (State::Passive, true, "?checkifreadonly=%20tr%20ue+", readonly),
        (State::Passive, true, "?CheckIfReadOnly=true", ok),
    ];
    for (state, synced, query, status) in cases {
        let service = if synced { Service::synced() } else { Service::unsynced() };
        service.mode.set(if state == State::Active { permit(1, 1000) } else { None });
        for method in [Method::GET, Method::HEAD] {
            let answer = service.ask(method.clone(), &format!("/health/ready{query}")).await;
            assert_eq!(answer.status, status, "{state:?} synced={synced} {method} {query}");
            assert_eq!(answer.header("x-flagship-state"), state.as_str());
            assert_eq!(answer.body.is_empty(), method == Method::HEAD);
        }
    }
}

#[tokio::test]
async fn booleans_are_gos_and_nothing_else() {
    let service = Service::synced();
    for word in ["1", "t", "T", "TRUE", "true", "True"] {
        let answer = service.get(&format!("/health/ready?checkifreadonly={word}")).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{word}");
    }
    for word in ["0", "f", "F", "FALSE", "false", "False"] {
        let answer = service.get(&format!("/health/ready?checkifreadonly={word}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}");
    }
    for word in ["yes", "2", "tRUE", "on", "-1", "%22true%22", "%09true"] {
        let answer = service.get(&format!("/health/ready?checkifreadonly={word}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{word}");
    }
    let answer = service.get("/health/ready?checkifreadonly=y%20es").await;
    assert_eq!(answer.body, "Health check method called with bad query param value yes for checkifreadonly");
}

#[tokio::test]
async fn the_health_body_is_admirals() {
    let answer = Service::synced().get("/health/ready?checkifreadonly=false").await;
    assert_eq!(
        answer.body,
        "Heath check method called: admiral.example, URI: /health/ready?checkifreadonly=false, Method: GET\n"
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn live_until_the_checker_has_been_silent_for_a_lease() {
    let service = Service::synced();
    service.clock.set(at(109));
    assert_eq!(service.get("/health/live").await.status, StatusCode::OK);
    service.clock.set(at(110));
    assert_eq!(service.get("/health/live").await.status, StatusCode::SERVICE_UNAVAILABLE);
    service.board.beat();
    assert_eq!(service.get("/health/live").await.status, StatusCode::OK);
    let idle = Service::without_loop();
    idle.clock.set(at(100_000));
    assert_eq!(idle.get("/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_names_state_and_epoch() {
    let service = Service::synced();
    service.board.update(|s| s.lease = Some(LeaseView { epoch: 8, ..LeaseView::default() }));
    for path in ["/clusters", "/nowhere", "/metrics", "/clusters/", "/health/live", "/api/v1/plan?limit=x", "/", ASK] {
        let answer = service.get(path).await;
        assert_eq!((answer.header("x-flagship-state"), answer.header("x-flagship-epoch")), ("passive", "8"), "{path}");
    }
    service.mode.set(permit(9, 1000));
    let answer = service.get("/clusters").await;
    assert_eq!((answer.header("x-flagship-state"), answer.header("x-flagship-epoch")), ("active", "9"));
    assert_eq!(service.ask(Method::POST, "/clusters").await.header("x-flagship-state"), "active");
}

#[tokio::test]
async fn clusters_are_sorted_json_and_none_is_admirals_text() {
    let service = Service::synced();
    let answer = service.get("/clusters").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"["cluster-a","cluster-b"]"#));
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = Service::empty().get("/clusters").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#""No cluster is monitored by admiral""#));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn service_entries_are_byte_for_byte_admirals() {
    let service = Service::synced();
    let answer = service.get("/cluster/cluster-a/serviceentries").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, support::SPEC_SERVICE_ENTRIES));
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = service.get("/cluster/cluster-b/serviceentries").await;
    assert_eq!(answer.body, "no service entries configured for cluster - cluster-b");
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/plain; charset=utf-8"));
    let answer = service.get("/cluster/nope/serviceentries").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::NOT_FOUND, "admiral is not monitoring cluster nope\n")
    );
    for blank in ["/cluster/%20/serviceentries", "/cluster//serviceentries"] {
        let answer = service.get(blank).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{blank}");
        assert_eq!(answer.body, "cluster name not provided as part of the request\n");
    }
}

#[tokio::test]
async fn hosts_are_found_by_any_part_of_their_name() {
    let service = Service::synced();
    let one = r#"[{"Cname":"stage.greeting.global","Clusters":["cluster-a"]}]"#;
    assert_eq!(service.get("/identity/greeting/serviceentries").await.body, one);
    let all: Value = serde_json::from_str(&service.get("/identity/global/serviceentries").await.body).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(service.get("/identity/Greeting/serviceentries").await.body, "[]");
    assert_eq!(service.get("/identity/%20/serviceentries").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_traffic_policy_is_found_by_identity_and_env() {
    let service = Service::synced();
    let answer = service.get("/identity/greeting/globaltrafficpolicy?env=stage").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(
        answer.body,
        r#"{"metadata":{"name":"gtp1","namespace":"sample","creationTimestamp":null},"spec":{"policy":[{"dnsPrefix":"west"}]},"status":{"clustersSynced":0,"state":""}}"#
    );
    let answer = service.get("/identity/greeting/globaltrafficpolicy?env=prod").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::NOT_FOUND, "application/json"));
    assert_eq!(answer.body, r#"{"error":"globaltraffic policy with identity: greeting and env: prod was not found"}"#);
    let answer = service.get("/identity/greeting/globaltrafficpolicy").await;
    assert!(answer.body.contains("env: default was"), "{}", answer.body);
}

#[tokio::test]
async fn wrong_paths_methods_and_slashes() {
    let service = Service::synced();
    let answer = service.get("/nowhere").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    for (method, path) in [(Method::POST, ASK), (Method::DELETE, "/clusters"), (Method::HEAD, "/clusters")] {
        let answer = service.ask(method, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::METHOD_NOT_ALLOWED, ""), "{path}");
    }
    for (path, target) in [
        ("/clusters/", "/clusters"),
        ("/health/ready/?checkifreadonly=true", "/health/ready?checkifreadonly=true"),
        ("/cluster/a%2Fb/serviceentries/", "/cluster/a%2Fb/serviceentries"),
    ] {
        let answer = service.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::MOVED_PERMANENTLY, target));
    }
    assert_eq!(service.get("//evil.example/clusters/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn status_tells_who_and_where() {
    let service = Service::synced();
    service.mode.set(permit(5, 108));
    service.board.transition(State::Active, 5, "claimed");
    let status = service.get("/api/v1/status").await.json();
    let instance = &status["instance"];
    assert_eq!((&instance["name"], &instance["uptimeSeconds"]), (&json!("pod-1"), &json!(90)));
    assert_eq!((&status["state"], &status["epoch"]), (&json!("active"), &json!(5)));
    assert_eq!((&status["permitRemainingMs"], &status["synced"]), (&json!(8000), &json!(true)));
    assert_eq!(status["checker"]["transitions"][0]["reason"], "claimed");
    assert_eq!(status["mesh"]["clusters"][0]["name"], "cluster-b");
    service.mode.set(Some(Permit::unlimited()));
    assert_eq!(service.get("/api/v1/status").await.json()["permitRemainingMs"], Value::Null);
}

#[tokio::test]
async fn status_answers_without_the_reconciler() {
    let service = Service::with_dead_reconciler();
    let answer = service.get("/api/v1/status").await;
    assert_eq!((answer.status, &answer.json()["mesh"]), (StatusCode::OK, &Value::Null));
    assert!(answer.json()["mesh_error"].is_null());
    assert!(answer.json()["meshError"].as_str().unwrap().contains("has ended"));
    assert_eq!(service.get("/clusters").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    let answer = service.get("/api/v1/plan").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.json()["error"].as_str().unwrap().contains("shutting down"));
}

#[tokio::test]
async fn the_plan_is_limited_and_a_bad_limit_named() {
    let service = Service::synced();
    let plan = service.get("/api/v1/plan?limit=2").await.json();
    assert_eq!((plan["pendingChanges"].as_array().map(Vec::len), &plan["truncated"]), (Some(2), &json!(true)));
    let plan = service.get("/api/v1/plan").await.json();
    assert_eq!((plan["pendingChanges"].as_array().map(Vec::len), &plan["truncated"]), (Some(3), &json!(false)));
    for bad in ["0", "x", "-1", "10001", ""] {
        let answer = service.get(&format!("/api/v1/plan?limit={bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains("limit") && error.contains(&format!("{bad:?}")) && error.contains("1 to 10000"),
            "{error}"
        );
    }
    assert_eq!(service.get("/api/v1/conditions").await.json()["conditions"][0]["reason"], "NoGateway");
}

#[tokio::test]
async fn metrics_on_both_listeners() {
    let service = Service::synced();
    service.mode.set(permit(5, 108));
    for answer in [service.get("/metrics").await, service.metrics("/metrics").await] {
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
        assert!(answer.body.contains("flagship_active 1\n"));
        assert!(answer.body.contains("flagship_permit_remaining_seconds 8.0\n"));
    }
    assert_eq!(service.metrics("/clusters").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_is_there() {
    let answer = Service::synced().get("/").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_ends() {
    let service = Service::with_stuck_reconciler();
    let started = tokio::time::Instant::now();
    let answer: Answer = service.get("/clusters").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(started.elapsed() <= Duration::from_secs(6));
    assert_eq!(service.get(ASK).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_permit_without_end_is_infinite_to_prometheus() {
    let service = Service::synced();
    service.mode.set(Some(Permit::unlimited()));
    let body = service.get("/metrics").await.body;
    assert!(body.contains("flagship_permit_remaining_seconds +Inf\n"), "{body}");
}

#[tokio::test]
async fn explanations_answer_for_any_identity_and_refuse_none() {
    let service = Service::synced();
    let answer = service.get("/api/v1/explain?identity=Greeting&env=stage").await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(
        (&body["identity"], &body["env"], &body["inMesh"]),
        (&json!("Greeting"), &json!("stage"), &json!(false))
    );
    assert_eq!(body["findings"][0]["reason"], "UnknownIdentity");
    let long = format!("/api/v1/explain?identity={}", "i".repeat(254));
    for (uri, word) in
        [("/api/v1/explain", "identity: absent"), ("/api/v1/explain?identity=%20", "absent"), (&long, "254")]
    {
        let answer = service.get(uri).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(answer.json()["error"].as_str().unwrap().contains(word), "{}", answer.body);
    }
    let busy = Service::with_dead_reconciler().get("/api/v1/explain?identity=x").await;
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
}
