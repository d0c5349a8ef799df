//! An echo server.

use std::net::SocketAddr;

use ezsockets::{Bytes, CloseFrame, Error, Request, Server, ServerExt, Session, SessionExt, Socket, Utf8Bytes};

struct EchoServer;

#[async_trait::async_trait]
impl ServerExt for EchoServer {
    type Session = EchoSession;
    type Call = ();

    async fn on_connect(
        &mut self,
        socket: Socket,
        _request: Request,
        address: SocketAddr,
    ) -> Result<Session<SocketAddr, ()>, Option<CloseFrame>> {
        Ok(Session::create(|handle| EchoSession { handle, address }, address, socket))
    }

    async fn on_disconnect(
        &mut self,
        _id: SocketAddr,
        _reason: Result<Option<CloseFrame>, Error>,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }
}

struct EchoSession {
    handle: Session<SocketAddr, ()>,
    address: SocketAddr,
}

#[async_trait::async_trait]
impl SessionExt for EchoSession {
    type ID = SocketAddr;
    type Call = ();

    fn id(&self) -> &SocketAddr {
        &self.address
    }

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.handle.text(text)?;
        Ok(())
    }

    async fn on_binary(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.handle.binary(bytes)?;
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (server, _) = Server::create(|_handle| EchoServer);
    ezsockets::tungstenite::run(server, "127.0.0.1:1234").await
}
