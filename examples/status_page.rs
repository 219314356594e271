//! Serves the status page with made-up readings: `cargo run --example status_page over_limit`.
//! Situations: normal, over_limit, unreachable, empty, many, hostile. `--listen ADDR` chooses the address.

use rackwarden_core::config::Listen;
use rackwarden_core::http::Auth;
use rackwarden_core::sim::sample::{self, Sample};
use rackwarden_io::clock::Clock;
use rackwarden_io::http_server::{HttpServer, bind};
use rackwarden_io::net::Net;
use rackwarden_io::published::Published;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listen = "127.0.0.1:8094".to_owned();
    let mut situation = Sample::Normal;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        situation = match argument.as_str() {
            "normal" => Sample::Normal,
            "over_limit" => Sample::OverLimit,
            "unreachable" => Sample::Unreachable,
            "empty" => Sample::Empty,
            "many" => Sample::Many,
            "hostile" => Sample::Hostile,
            "--listen" => {
                listen = arguments.next().ok_or("--listen needs an address")?;
                situation
            }
            other => return Err(format!("unknown situation {other}").into()),
        };
    }
    let listeners = bind(&Listen::Tcp(listen.parse()?))?;
    if let Some(address) = listeners.first().and_then(|listener| listener.local_addr()) {
        println!("http://{address}/");
    }
    // The clock starts now, the sample was taken later: it looks fresh for as long as this runs.
    let mut snapshot = sample::snapshot(situation);
    snapshot.now.mono += Duration::from_secs(1 << 30);
    let published = Arc::new(Published::new(Arc::new(snapshot)));
    let mut net = Net::new()?;
    let auth = Auth::new(None, &[]);
    let (server, _handle) =
        HttpServer::new(listeners, auth, published, Clock::start(), net.waker());
    net.add(Box::new(server));
    net.run(|| false)?;
    Ok(())
}
