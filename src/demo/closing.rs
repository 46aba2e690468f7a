//! What the demo says last: how to go on.

use std::net::SocketAddr;

/// How to connect with psql, and how to put one's own folder in the place of the demo lake.
///
/// `listen` is the address that the server listens on; where it is every address, the text names
/// the loopback one.
pub fn closing(listen: SocketAddr) -> String {
    let host = match listen {
        SocketAddr::V4(address) if address.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(address) if address.ip().is_unspecified() => "::1".to_owned(),
        _ => listen.ip().to_string(),
    };
    let port = listen.port();
    format!(
        "\
现在自己问 / Ask your own questions:
  psql -h {host} -p {port} -d tributary
  例如 / for example: \\dt   \\d events   \\df+ funnel   SELECT * FROM channels;

换成自己的数据 / Put your own folder in its place (Parquet, CSV or JSON lines):
  tributary serve --lake /path/to/your/folder --listen 127.0.0.1:{port}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_psql_can_use() {
        let text = |address: &str| closing(address.parse().expect("an address"));
        assert!(text("0.0.0.0:6000").contains("psql -h 127.0.0.1 -p 6000 -d tributary"));
        assert!(text("[::]:6000").contains("psql -h ::1 -p 6000"));
        assert!(text("192.0.2.1:5432").contains("psql -h 192.0.2.1 -p 5432"));
    }
}
