//! Slots in other threads than the server's, and slots that run from the queue.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use anyhow::{Context, Result, anyhow};
use slotwork::signals::SignalSpy;
use slotwork::{EventLoop, LoopHandle, WebSocketServer};

use support::raw_peer::{CLOSE, RawPeer, TEXT, check_good_client, masked};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, run_until, serve};

/// Signals of a socket reach queued slots to the last one, although the socket is gone by then.
#[test]
fn queued_slots_hear_the_last_message_and_the_end() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let recorder = lines.clone();
            socket
                .text_message_received()
                .queued()
                .connect(move |_socket, text| recorder.add(text));
            let recorder = lines.clone();
            socket.disconnected().queued().connect(move |_socket, ()| recorder.add("disconnected"));
        }
    });

    serve(move || last_words(port))?;

    recorder.wait_for(&["last words", "disconnected"])
}

/// SIG-16: a socket that is taken in another thread has its slots there, and loses nothing.
#[test]
fn a_socket_taken_in_another_thread_is_heard_there() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let worker = Worker::start(server.clone())?;

    serve(move || last_words(port))?;

    assert_eq!(worker.finish()?, ["last words", "disconnected"]);
    Ok(())
}

/// Qt: `QSignalSpy::wait()` runs the loop meanwhile.
#[test]
fn a_spy_runs_the_loop_while_it_waits() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let connections = SignalSpy::new(&server.new_connection());

    let peer = thread::spawn(move || RawPeer::open(port));
    connections.wait_for_within(1, DEADLINE)?;

    assert_eq!(connections.count(), 1);
    peer.join().map_err(|_| anyhow!("the peer panicked"))??;
    Ok(())
}

/// What is dropped with a thread may ask for the thread's loop.
#[test]
fn a_task_dropped_at_the_end_of_its_thread_may_ask_for_the_loop() -> Result<()> {
    struct AsksAtTheEnd(mpsc::Sender<()>);
    impl Drop for AsksAtTheEnd {
        fn drop(&mut self) {
            EventLoop::current().quit();
            EventLoop::current().spawn(async {}).detach();
            self.0.send(()).unwrap();
        }
    }
    let (was_dropped, dropped) = mpsc::channel();

    let thread = thread::spawn(move || {
        let value = AsksAtTheEnd(was_dropped);
        let waits = async move {
            std::future::pending::<()>().await;
            drop(value);
        };
        EventLoop::current().spawn(waits).detach();
        EventLoop::current().process_events();
    });
    thread.join().map_err(|_| anyhow!("the thread panicked"))?;

    dropped.try_recv().context("the task was not dropped")
}

/// A server of a thread that has ended serves no client, and does not keep its port.
#[test]
fn a_server_frees_its_port_when_its_thread_ends() -> Result<()> {
    let thread = thread::spawn(|| {
        let server = echo_server()?;
        let port = server.server_port();
        serve(move || check_good_client(port))?;
        Ok::<_, anyhow::Error>((server, port))
    });

    let (server, port) = thread.join().map_err(|_| anyhow!("the thread panicked"))??;

    assert!(!server.is_listening());
    std::net::TcpListener::bind(("127.0.0.1", port))?;
    Ok(())
}

/// A message and an orderly end, in one segment.
fn last_words(port: u16) -> Result<()> {
    let mut peer = RawPeer::open(port)?;
    peer.send([masked(TEXT, b"last words"), masked(CLOSE, &[3, 232])].concat())?;
    peer.read_to_end()?;
    Ok(())
}

/// A thread with a loop, which takes the sockets of a server that lives elsewhere.
struct Worker {
    thread: thread::JoinHandle<()>,
    heard: Arc<Mutex<Vec<String>>>,
    is_over: smol::channel::Receiver<()>,
    event_loop: LoopHandle,
}

impl Worker {
    fn start(server: WebSocketServer) -> Result<Self> {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (say_ready, ready) = mpsc::channel();
        let (say_over, is_over) = smol::channel::bounded(1);
        let lines = Arc::clone(&heard);
        let thread = thread::spawn(move || {
            server.new_connection().connect(move |server, ()| {
                let Some(socket) = server.next_pending_connection() else { return };
                let heard = Arc::clone(&lines);
                socket.text_message_received().connect(move |_socket, text| {
                    heard.lock().unwrap().push(text.into());
                });
                let (heard, say_over) = (Arc::clone(&lines), say_over.clone());
                socket.disconnected().connect(move |_socket, ()| {
                    heard.lock().unwrap().push("disconnected".into());
                    say_over.try_send(()).unwrap();
                });
            });
            say_ready.send(EventLoop::current().handle()).unwrap();
            drop(server);
            EventLoop::current().exec();
        });
        let event_loop = ready.recv().context("the worker did not start")?;
        Ok(Self { thread, heard, is_over, event_loop })
    }

    /// Waits for the end of the socket, and returns the calls of its slots.
    fn finish(self) -> Result<Vec<String>> {
        run_until(self.is_over.recv())?.context("no `disconnected`")?;
        self.event_loop.quit();
        self.thread.join().map_err(|_| anyhow!("the worker panicked"))?;
        Ok(self.heard.lock().unwrap().clone())
    }
}
