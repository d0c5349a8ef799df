//! Connecting: in the background, refused, on the program's own runtime.

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork_nats::{Error, NatsBridge, NatsOptions};
use support::run_until;

use crate::engine::{Engine, free_port};
use crate::node::{Node, link};

#[test]
fn a_server_may_start_after_the_nodes() -> Result<()> {
    let port = free_port()?;
    let options = NatsOptions::new(format!("nats://127.0.0.1:{port}"));
    let one = Node::start(options.clone(), "chat")?;
    let other = Node::start(options, "chat")?;
    let connected = SignalSpy::new(&other.bridge.connected());
    let resync = SignalSpy::new(&other.bridge.resync_needed());
    other.join("rooms")?;
    ensure!(!one.bridge.is_connected());

    let _engine = Engine::start_at(port, Vec::new())?;
    link(&one, &other)?;
    one.publish("rooms", "hello")?;

    assert_eq!(other.take_texts(1)?, ["hello"]);
    assert_eq!((connected.count(), resync.count()), (1, 0));
    Ok(())
}

#[test]
fn a_wrong_password_is_reported_and_a_right_one_of_the_url_accepted() -> Result<()> {
    let engine = Engine::start_with(&["--user", "chat", "--pass", "p@ss"])?;
    let wrong = NatsBridge::connect(engine.options().user_and_password("chat", "wrong"))?;
    let url = format!("nats://chat:p%40ss@127.0.0.1:{}", engine.port());
    let right = NatsBridge::connect(NatsOptions::new(url))?;

    let refused = run_until(wrong.wait_connected())?;

    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert!(!wrong.is_connected());
    run_until(right.wait_connected())??;
    Ok(())
}

#[test]
fn a_token_is_accepted() -> Result<()> {
    let engine = Engine::start_with(&["--auth", "secret"])?;
    let bridge = NatsBridge::connect(engine.options().token("secret"))?;

    run_until(bridge.wait_connected())??;
    Ok(())
}

#[test]
fn another_server_is_used_while_the_first_one_is_down() -> Result<()> {
    let engine = Engine::start()?;
    let options = NatsOptions::new("nats://127.0.0.1:1").server(engine.url());
    let bridge = NatsBridge::connect(options)?;

    run_until(bridge.wait_connected())??;
    Ok(())
}

#[test]
fn what_a_user_may_not_publish_is_lost() -> Result<()> {
    let configuration = r#"authorization { users = [ { user: reader, password: secret,
        permissions: { publish: ["_slotwork.*.chat.>"], subscribe: ["chat.>", "_slotwork.*.chat.>"] } } ] }"#;
    let engine = Engine::start_configured(configuration)?;
    let node = Node::connected(engine.options().user_and_password("reader", "secret"), "chat")?;
    let lost = SignalSpy::new(&node.bridge.lost());

    node.publish("rooms", "hello")?;

    lost.wait_for(1)?;
    assert_eq!(node.bridge.stats().lost_out, 1);
    assert!(node.bridge.is_connected());
    Ok(())
}

#[test]
fn a_bridge_runs_on_the_runtime_of_the_program() -> Result<()> {
    let engine = Engine::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bridge = NatsBridge::connect_on(runtime.handle(), engine.options())?;
    let node = Node::unbridged(bridge)?;
    node.bridge.bridge_topics(&node.server, "chat")?;
    node.join("rooms")?;
    let other = Node::connected(engine.options(), "chat")?;
    link(&other, &node)?;

    other.publish("rooms", "hello")?;

    assert_eq!(node.take_texts(1)?, ["hello"]);
    Ok(())
}

/// The client reports that it is connected on one thread, and is so a little later.
#[test]
fn each_bridge_on_a_runtime_with_several_threads_connects() -> Result<()> {
    let engine = Engine::start()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let bridges = (0..50)
        .map(|_| Ok(NatsBridge::connect_on(runtime.handle(), engine.options())?))
        .collect::<Result<Vec<_>>>()?;

    for bridge in &bridges {
        run_until(bridge.wait_connected())??;
    }
    Ok(())
}

#[test]
fn an_invalid_url_is_an_error_at_once() {
    let refused = NatsBridge::connect(NatsOptions::new("http://127.0.0.1"));

    assert!(matches!(refused, Err(Error::InvalidUrl { .. })), "{refused:?}");
}

#[test]
fn names_are_checked() -> Result<()> {
    let bridge = NatsBridge::connect(NatsOptions::new("nats://127.0.0.1:1"))?;

    for name in ["", "a\0b"] {
        assert!(matches!(bridge.signal::<String>(name), Err(Error::InvalidName(_))));
        assert!(matches!(bridge.subscribe_all(name), Err(Error::InvalidName(_))));
    }
    Ok(())
}
