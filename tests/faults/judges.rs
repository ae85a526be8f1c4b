//! Whether the judges can see: somebody writes under an epoch that is over.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::scene::Scene;
use crate::process::kube_api::collection;
use crate::process::world::with_world_among_others;

/// An update under an older epoch is seen by both judges, a delete by the audit logs alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_late_write_is_seen() {
    with_world_among_others(|world| async move {
        let mut scene = Scene::set(&world, false).await;
        let begun = Instant::now();
        while scene.recorder.total() < 40 {
            assert!(begun.elapsed() < Duration::from_secs(30), "there is nothing to judge");
            sleep(Duration::from_millis(50)).await;
        }
        scene.load.stop().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.requests.complaints(&scene.recorder).await, [""; 0]);
        assert_eq!((scene.recorder.overlap_ms(), scene.requests.overlap_ms()), (0, 0));
        assert_eq!((scene.recorder.late().len(), scene.requests.late().len()), (0, 0));

        let stale = scene.active().instance.epoch().await - 1;
        let mut entry = world.generated(world.alpha(), "ServiceEntry").await.swap_remove(0);
        let path =
            format!("{}/{}", collection("ServiceEntry", &world.sync), entry["metadata"]["name"].as_str().unwrap());
        world.alpha().as_instance("west", stale, Method::DELETE, &path, &json!({})).await;
        scene.requests.read();
        let seen: Vec<_> = scene.requests.late().into_iter().map(|(one, _)| one.clone()).collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].who.as_str(), seen[0].verb.as_str(), seen[0].epoch), ("west", "delete", Some(stale)));
        assert!(scene.requests.overlap_ms() > 1000);
        assert_eq!(scene.recorder.overlap_ms(), 0, "a delete carries no epoch");

        let metadata = entry["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| ["name", "namespace", "annotations", "labels"].contains(&field.as_str()));
        metadata["name"] = json!("late");
        metadata["annotations"]["flagship.io/epoch"] = json!(stale.to_string());
        let path = collection("ServiceEntry", &world.sync);
        world.alpha().as_instance("west", stale, Method::POST, &path, &entry).await;
        sleep(Duration::from_millis(500)).await;
        scene.requests.read();
        assert_eq!((scene.recorder.late().len(), scene.requests.late().len()), (1, 2));
        assert!(scene.recorder.overlap_ms() > 1000 && scene.requests.overlap_ms() > 1000);

        let current = scene.active().instance.epoch().await;
        let name = format!("{path}/late");
        world.alpha().as_instance("west", current, Method::DELETE, &name, &json!({})).await;
        let complaints = scene.requests.complaints(&scene.recorder).await;
        assert!(complaints.iter().any(|said| said.contains("both asked under epoch")), "{complaints:?}");
    })
    .await;
}
