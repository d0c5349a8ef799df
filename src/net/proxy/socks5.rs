//! SOCKS proxies of version 5 (RFC 1928), with user name and password (RFC 1929).

use std::net::IpAddr;

use crate::net::proxy::{Failure, read_exact};
use crate::net::stream::Stream;
use crate::types::authenticator::Credentials;

/// Requests a connection to a host, which is a name or an IP address.
///
/// `log_in` is called when the proxy requires authentication.
pub(crate) async fn connect(
    stream: &mut Stream,
    host: &str,
    port: u16,
    log_in: impl FnOnce() -> Option<Credentials>,
) -> Result<(), Failure> {
    stream.write_all(&[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD]).await?;
    match read_exact(stream).await? {
        [VERSION, NO_AUTHENTICATION] => {}
        [VERSION, USER_AND_PASSWORD] => authenticate(stream, log_in()).await?,
        [VERSION, _] => return refused("it asks for an authentication that is not supported"),
        _ => return refused("it is no SOCKS proxy of version 5"),
    }

    let request = request(host, port).ok_or_else(|| Failure::Refused(TOO_LONG.into()))?;
    stream.write_all(&request).await?;
    let [version, reply, _, address_type] = read_exact(stream).await?;
    if version != VERSION {
        return refused("its answer is not of version 5");
    }
    if reply != 0 {
        return refused(explain(reply));
    }
    skip_address(stream, address_type).await
}

/// Sends the user name and the password (RFC 1929 §2).
async fn authenticate(
    stream: &mut Stream,
    credentials: Option<Credentials>,
) -> Result<(), Failure> {
    let Some(Credentials { user, password }) = credentials else {
        return refused("it asks for a user name and a password");
    };
    let mut request = vec![LOGIN_VERSION];
    for text in [&user, &password] {
        match u8::try_from(text.len()) {
            Ok(length) => request.push(length),
            Err(_) => return refused("the user name or the password is longer than 255 bytes"),
        }
        request.extend(text.as_bytes());
    }
    stream.write_all(&request).await?;
    match read_exact(stream).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => refused("it does not accept the user name and password"),
        _ => refused("its answer to the login is not of version 1"),
    }
}

/// Returns a request (RFC 1928 §4); `None` when the host name is too long for one.
fn request(host: &str, port: u16) -> Option<Vec<u8>> {
    let mut request = vec![VERSION, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.extend([NAME, u8::try_from(host.len()).ok()?]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    Some(request)
}

/// Skips the unused address from which the proxy connects (RFC 1928 §6).
async fn skip_address(stream: &mut Stream, address_type: u8) -> Result<(), Failure> {
    let length = match address_type {
        IPV4 => 4,
        IPV6 => 16,
        NAME => read_exact::<1>(stream).await?.map(usize::from)[0],
        _ => return refused("its answer has an address of an unknown type"),
    };
    for _ in 0..length + size_of::<u16>() {
        read_exact::<1>(stream).await?;
    }
    Ok(())
}

fn refused(reason: &str) -> Result<(), Failure> {
    Err(Failure::Refused(reason.into()))
}

/// Returns the meaning of a reply (RFC 1928 §6).
const fn explain(reply: u8) -> &'static str {
    match reply {
        2 => "its rules do not allow it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "the time to live has expired",
        7 => "it does not support this command",
        8 => "it does not support this type of address",
        _ => "it has failed",
    }
}

const VERSION: u8 = 5;
/// The version of the authentication (RFC 1929 §2).
const LOGIN_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
const TOO_LONG: &str = "the name of the host is longer than 255 bytes";

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1928 §4 and §5.
    #[test]
    fn hosts_are_sent_as_names_and_addresses_as_addresses() {
        let table = [
            ("a.example", [&[5, 1, 0, 3, 9][..], b"a.example", &[0x1F, 0x90]].concat()),
            ("10.0.0.1", vec![5, 1, 0, 1, 10, 0, 0, 1, 0x1F, 0x90]),
            ("::1", [&[5, 1, 0, 4][..], &[0; 15], &[1, 0x1F, 0x90]].concat()),
        ];
        for (host, expected) in table {
            assert_eq!(request(host, 8080), Some(expected), "{host}");
        }
        assert_eq!(request(&"a".repeat(256), 80), None);
    }
}
