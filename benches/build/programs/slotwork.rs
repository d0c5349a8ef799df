//! An echo server, as in the README, without arguments and logging.

use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};

fn main() -> Result<(), slotwork::Error> {
    let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| _ = socket.send_text_message(text));
            socket.binary_message_received().connect(|socket, bytes| _ = socket.send_binary_message(bytes));
        }
    });
    server.listen(HostAddress::LocalHost, 1234)?;
    EventLoop::current().exec();
    Ok(())
}
