//! Values that a program attaches to its sockets.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::WebSocket;

use support::raw_peer::RawPeer;
use support::recorder::Recorder;
use support::{listening_server, serve, wait_until};

/// Qt: `setProperty()`, `property()`; one value of each type.
#[test]
fn there_is_one_value_of_each_type() -> Result<()> {
    let socket = WebSocket::new();
    ensure!(socket.data::<u32>().is_none() && socket.take_data::<u32>().is_none());

    socket.set_data(1_u32);
    socket.set_data("text");
    socket.set_data(2_u32);
    socket.set_data(Mutex::new(Vec::<u8>::new()));
    let bytes = socket.data::<Mutex<Vec<u8>>>().context("it was set")?;
    bytes.lock().unwrap().push(7);

    ensure!(socket.data::<u32>().as_deref() == Some(&2));
    ensure!(socket.clone().data::<&str>().as_deref() == Some(&"text"));
    ensure!(socket.data::<u64>().is_none());
    let again = socket.take_data::<Mutex<Vec<u8>>>().context("it was set")?;
    ensure!(*again.lock().unwrap() == [7]);
    ensure!(socket.data::<Mutex<Vec<u8>>>().is_none());
    ensure!(socket.take_data::<u32>().as_deref() == Some(&2) && socket.data::<&str>().is_some());
    Ok(())
}

/// What is dropped may itself look at the socket: nothing is locked then.
#[test]
fn a_value_may_use_the_socket_when_it_is_dropped() -> Result<()> {
    /// Its drop sets and reads data of the socket.
    struct Setter(Mutex<Option<WebSocket>>, Arc<AtomicU32>);

    impl Drop for Setter {
        fn drop(&mut self) {
            if let Some(socket) = self.0.lock().unwrap().take() {
                socket.set_data(5_u64);
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    let (socket, drops) = (WebSocket::new(), Arc::default());
    let setter = || Setter(Mutex::new(Some(socket.clone())), Arc::clone(&drops));
    socket.set_data(setter());

    socket.set_data(setter());
    drop(socket.take_data::<Setter>());

    ensure!(drops.load(Ordering::Relaxed) == 2 && socket.data::<u64>().is_some());
    Ok(())
}

/// It is there in `disconnected`, from other threads, and dropped with the last handle.
#[test]
fn data_lives_as_long_as_its_socket() -> Result<()> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let drops = Arc::new(AtomicU32::new(0));
    let (lines, counter) = (recorder.clone(), Arc::clone(&drops));
    server.new_connection().connect(move |server, ()| {
        let socket = server.next_pending_connection().unwrap();
        socket.set_data(Counted(Arc::clone(&counter)));
        let lines = lines.clone();
        socket.disconnected().connect(move |socket, ()| {
            let there = socket.data::<Counted>().is_some();
            let elsewhere = socket.clone();
            let seen = thread::spawn(move || elsewhere.data::<Counted>().is_some()).join();
            lines.add(format!("{there} {}", seen.unwrap_or_default()));
        });
    });
    let port = server.server_port();

    serve(move || RawPeer::open(port)?.close(1000, ""))?;

    recorder.wait_for(&["true true"])?;
    wait_until(|| drops.load(Ordering::Relaxed) == 1).map_err(|_| anyhow!("the data lives on"))
}

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
