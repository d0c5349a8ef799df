//! A cluster of three servers.

use anyhow::Result;
use slotwork::signals::SignalSpy;
use slotwork_nats::NatsOptions;

use crate::engine::{Engine, free_port};
use crate::node::{Node, link_all};

#[test]
#[ignore = "takes 10 s"]
fn nodes_move_to_another_server_of_the_cluster() -> Result<()> {
    let routes = [free_port()?, free_port()?, free_port()?];
    let all = routes.map(|port| format!("nats://127.0.0.1:{port}")).join(",");
    let mut engines = Vec::new();
    for route in routes {
        let cluster = format!("nats://127.0.0.1:{route}");
        let arguments = ["--cluster", &cluster, "--routes", &all, "--cluster_name", "chat"];
        engines.push(Engine::start_with(&arguments)?);
    }
    // Each knows one server: the others are discovered.
    let connect = |engine: &Engine| Node::connected(NatsOptions::new(engine.url()), "chat");
    let nodes = engines.iter().map(connect).collect::<Result<Vec<_>>>()?;
    for node in &nodes {
        node.join("rooms")?;
    }
    let all: Vec<_> = nodes.iter().collect();
    link_all(&all)?;
    let resync = SignalSpy::new(&nodes[0].bridge.resync_needed());

    engines[0].kill()?;
    resync.wait_for(1)?;
    link_all(&all)?;
    nodes[0].publish("rooms", "from the one that moved")?;

    for node in &nodes {
        assert_eq!(node.take_texts(1)?, ["from the one that moved"]);
    }
    Ok(())
}
