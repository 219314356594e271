//! Why the net thread drives epoll itself: the same echo of single datagrams with smol's reactor and with
//! the agent's loop. Prints voluntary context switches of all threads for each datagram.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin wakeups`

use rackwarden_io::net::{Interest, Net, Ready, Registry, Service};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

const DATAGRAMS: u32 = 300;

fn main() {
    let smol = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let ours = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let addresses = [&smol, &ours].map(|socket| socket.local_addr().expect("bound"));
    ours.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || smol::block_on(echo(smol)));
    let mut net = Net::new().expect("descriptors");
    net.add(Box::new(Echo(ours)));
    std::thread::spawn(move || net.run(|| false));
    for (name, address) in ["smol's reactor", "the agent's loop"].iter().zip(addresses) {
        println!(
            "{name:>18}: {:.2} voluntary switches a datagram",
            measure(address)
        );
    }
}

async fn echo(socket: UdpSocket) {
    let socket = smol::Async::new(socket).expect("a reactor");
    let mut buffer = [0; 64];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        let _ = socket.send_to(&buffer[..len], from).await;
    }
}

struct Echo(UdpSocket);

impl Service for Echo {
    fn start(&mut self, registry: &Registry<'_>) -> std::io::Result<()> {
        registry.add(&self.0, 0, Interest::Read)
    }

    fn handle_ready(&mut self, _registry: &Registry<'_>, _token: u32, _ready: Ready) {
        let mut buffer = [0; 64];
        while let Ok((len, from)) = self.0.recv_from(&mut buffer) {
            let _ = self.0.send_to(&buffer[..len], from);
        }
    }
}

/// One datagram every 10 ms, as an agent at rest sees them. The thread that sends is not counted.
fn measure(address: SocketAddr) -> f64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let mut buffer = [0; 64];
    let before = switches_of_others();
    for _ in 0..DATAGRAMS {
        socket.send_to(b"datagram", address).expect("loopback");
        socket.recv_from(&mut buffer).expect("an echo");
        std::thread::sleep(Duration::from_millis(10));
    }
    (switches_of_others() - before) as f64 / f64::from(DATAGRAMS)
}

fn switches_of_others() -> u64 {
    let own = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").expect("a proc file system");
    tasks
        .flatten()
        .filter(|task| task.file_name().to_string_lossy() != own)
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            count.trim().parse::<u64>().ok()
        })
        .sum()
}
