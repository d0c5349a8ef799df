//! The limit of nested loops: the stack is not used up, however many clients begin one.

use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::{EventLoop, NestedLoop};
use smol::channel;

use support::raw_peer::{CLOSE, Frame, RawPeer, TEXT, masked_texts};
use support::{DEADLINE, in_thread, recorded_server, serve};

/// A way into a loop from a slot, which lasts until the signal is emitted, or until nothing is ready.
type Way = fn(&Rc<Signal<()>>);

/// Qt: `QEventLoop::exec()` in slots, which ends a program when its stack is used up. Here each client
/// gets its answer, or 1011, and the next one is served; in a thread with the usual 2 MiB.
#[test]
fn any_number_of_clients_may_begin_loops_in_slots() -> Result<()> {
    let ways: [(&str, Way); 7] = [
        ("NestedLoop", |leave| {
            let nested = Rc::new(NestedLoop::new());
            leave.connect_to(&nested, |nested, ()| nested.quit());
            nested.exec();
        }),
        ("exec", |leave| {
            leave.once().connect(|()| EventLoop::current().quit());
            EventLoop::current().exec();
        }),
        ("run_until", |leave| _ = EventLoop::current().run_until(leave.next())),
        ("SignalSpy", |leave| _ = SignalSpy::new(leave).wait_for_within(1, DEADLINE)),
        ("process_events", |_| _ = EventLoop::current().process_events()),
        ("process_events_for", |_| EventLoop::current().process_events_for(DEADLINE)),
        ("wait", |_| EventLoop::current().wait(Duration::from_millis(1))),
    ];
    for (name, way) in ways {
        in_small_thread(move || check_way(way)).with_context(|| name)?;
    }
    Ok(())
}

fn check_way(way: Way) -> Result<()> {
    // More than the limit. Wine takes seconds for a hundred of them.
    const CLIENTS: usize = if cfg!(windows) { 150 } else { 300 };
    let leave = Rc::new(Signal::<()>::new());
    let (server, _recorder) = recorded_server(move |socket, text| {
        match text {
            "nest" => way(&leave),
            "leave" => leave.emit(&()),
            _ => {}
        }
        socket.send_text_message(text);
    })?;
    server.set_max_pending_connections(CLIENTS);
    let port = server.server_port();

    serve(move || {
        let mut clients =
            (0..CLIENTS).map(|_| RawPeer::open(port)).collect::<Result<Vec<RawPeer>>>()?;
        clients.iter_mut().try_for_each(|client| client.send(masked_texts(&["nest"])))?;
        let mut other = RawPeer::open(port)?;
        other.check_echo("inside")?;
        other.check_echo("leave")?;
        for client in &mut clients {
            let frame = client.read_frame()?;
            let is_answer = frame == Frame { opcode: TEXT, payload: b"nest".into() };
            let is_end = frame.opcode == CLOSE && frame.close_code()? == 1011;
            ensure!(is_answer || is_end, "{frame:?}");
        }
        other.check_echo("afterwards")
    })
}

/// The limit is the program's to choose; what is refused is refused in its own way.
#[test]
fn a_loop_inside_too_many_others_is_refused() -> Result<()> {
    let (codes, timeout) = in_thread(|event_loop| {
        assert_eq!(event_loop.max_nesting(), 100);
        event_loop.set_max_nesting(2);
        let (sender, codes) = channel::unbounded();
        nest(3, sender.clone());
        event_loop.process_events();

        let (say, said) = mpsc::channel();
        event_loop.set_max_nesting(0);
        event_loop.defer_to((), move |()| {
            let spy = SignalSpy::new(&Signal::<()>::new());
            _ = say.send(spy.wait_for_within(1, DEADLINE).map_err(|timeout| timeout.to_string()));
            check_refusals(&sender);
        });
        event_loop.process_events();
        (std::iter::from_fn(|| codes.try_recv().ok()).collect::<Vec<i32>>(), said.recv())
    })?;

    ensure!(codes == [-1, 2, 3, -1, -1, -1], "{codes:?}");
    let expected = "0 of 1 emissions: too many loops run in slots to wait";
    ensure!(timeout? == Err(expected.to_owned()));
    Ok(())
}

/// Runs a nested loop in a call, and in that another one, until none is left; notes their codes.
fn nest(left: i32, codes: channel::Sender<i32>) {
    EventLoop::current().defer_to((), move |()| {
        let nested = Rc::new(NestedLoop::new());
        if left > 1 {
            nest(left - 1, codes.clone());
            EventLoop::current().defer_to(&nested, move |nested| nested.exit(left));
        }
        _ = codes.try_send(nested.exec());
    });
}

/// None of these runs anything.
fn check_refusals(codes: &channel::Sender<i32>) {
    let event_loop = EventLoop::current();
    event_loop.defer_to((), |()| unreachable!("a refused loop ran a call"));
    for code in [NestedLoop::new().exec(), event_loop.exec()] {
        _ = codes.try_send(code);
    }
    event_loop.process_events();
    event_loop.process_events_for(DEADLINE);
    event_loop.wait(DEADLINE);
    slotwork::signals::process_events();
    event_loop.set_max_nesting(100);
    _ = codes.try_send(-1);
}

/// A slot with big stack frames reaches the limit earlier.
#[test]
fn slots_that_need_much_stack_do_not_use_it_up() -> Result<()> {
    fn nest(depth: u32) -> u32 {
        let room = std::hint::black_box([0_u8; 16 * 1024]);
        let (sender, receiver) = mpsc::channel();
        EventLoop::current().handle().post(move || _ = sender.send(nest(depth + 1)));
        EventLoop::current().process_events();
        std::hint::black_box(room);
        receiver.try_recv().unwrap_or(depth)
    }

    let depth = in_small_thread(|| Ok(nest(0)))?;

    ensure!((2..100).contains(&depth), "{depth}");
    Ok(())
}

/// Runs `test` in a thread with as much stack as threads have.
fn in_small_thread<T: Send + 'static>(
    test: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let thread = thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(test)?;
    thread.join().map_err(|_| anyhow!("it panicked"))?
}
