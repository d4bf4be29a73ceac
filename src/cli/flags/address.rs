//! Addresses to listen at.

use std::net::SocketAddr;

/// Parses an address and a port; `localhost` is the loopback address, whatever the hosts file says.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let form = || "it is not of the form ADDRESS:PORT, as 127.0.0.1:8585 or [::1]:8585".to_owned();
    numeric.parse().map_err(|_| form())
}
