//! The status server on a net thread of its own, for the tests that speak to it.

use rackwarden_core::config::Listen;
use rackwarden_core::http::Auth;
use rackwarden_core::sim::sample::{self, Sample};
use rackwarden_io::clock::Clock;
use rackwarden_io::http_server::{HttpHandle, HttpServer, bind};
use rackwarden_io::net::{Net, Waker};
use rackwarden_io::published::Published;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: HttpHandle,
    waker: Waker,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(sample: Sample) -> Server {
        Server::start_with(sample, Auth::new(None, &[]))
    }

    fn start_with(sample: Sample, auth: Auth) -> Server {
        let listen = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listeners = bind(&listen).expect("a free port");
        let address = listeners[0].local_addr().expect("bound");
        let mut snapshot = sample::snapshot(sample);
        snapshot.now.mono += Duration::from_secs(1 << 30);
        let published = Arc::new(Published::new(Arc::new(snapshot)));
        let mut net = Net::new().expect("epoll");
        let waker = net.waker();
        let (server, handle) =
            HttpServer::new(listeners, auth, published, Clock::start(), waker.clone());
        net.add(Box::new(server));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopping);
        let thread = std::thread::spawn(move || {
            net.run(|| stop.load(Ordering::SeqCst)).expect("runs");
        });
        Server {
            address,
            handle,
            waker,
            is_stopping,
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("timeout");
        stream
    }

    pub(crate) fn exchange(&self, text: &str) -> String {
        exchange(&self.connect(), text)
    }

    pub(crate) fn is_healthy(&self) -> bool {
        let answer = self.exchange(HEALTH);
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"status\":\"ok\"}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends this and reads until the server closes.
pub(crate) fn exchange(mut stream: &TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).expect("sent");
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}
