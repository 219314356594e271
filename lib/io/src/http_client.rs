//! HTTP calls, on one named thread for each endpoint that is called, so that a service which hangs delays no other. A
//! call is made once, before its deadline, and reported; retries are the core's business. A worker starts with the first
//! call and ends when it was idle for long. No URL and no header ever reaches an error or a log line.

mod call;
mod unix;

use crate::inbox::Inbox;
use crate::names::Names;
use crate::tls::{self, TlsConnector};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::effect::HttpRequest;
use rackwarden_core::endpoint::{Base, Endpoint, Lane};
use rackwarden_core::event::{Event, Reply};
use rustls::ClientConfig;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use unix::UnixConnector;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, SocksConnector, TcpConnector,
};
use ureq::{Agent, Proxy};

/// Long polls that wait for the one under way to end.
const POLL_QUEUE: usize = 16;
/// Endpoints with a worker at the same time; calls to one more are answered with `Overload` at once.
const MAX_WORKERS: usize = 32;
/// A worker without a call ends after this time.
const IDLE_WORKER: Duration = Duration::from_secs(600);
/// A TLS handshake needs the most of it.
const STACK_BYTES: usize = 512 * 1024;
/// Of each: the name look-up, and the connection with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is not used again.
const IDLE_CONNECTION: Duration = Duration::from_secs(75);

/// Gives calls to the threads.
#[derive(Clone)]
pub struct HttpHandle {
    shared: Arc<Mutex<Shared>>,
    inbox: Inbox,
    idle: Duration,
}

#[derive(Default)]
struct Shared {
    workers: Vec<Worker>,
    is_stopping: bool,
}

struct Worker {
    endpoint: Arc<Endpoint>,
    client: Client,
    queue: SyncSender<Call>,
    /// Calls that have not ended.
    open: Arc<AtomicUsize>,
}

type Call = (HttpRequest, Agent);

/// The set-up of connections to an endpoint. Endpoints of one service share its names, those of one trust its TLS.
#[derive(Clone)]
struct Client {
    agent: Agent,
    names: Names,
    tls: Arc<ClientConfig>,
}

impl HttpHandle {
    /// Nothing runs before the first call.
    pub fn new(inbox: Inbox) -> HttpHandle {
        HttpHandle {
            shared: Arc::default(),
            inbox,
            idle: IDLE_WORKER,
        }
    }

    /// Makes a call. Its answer, or a fault, arrives in the inbox.
    pub fn send(&self, request: HttpRequest) {
        let ticket = request.ticket;
        if let Err(fault) = self.try_send(request) {
            let reply = Reply::Http(Err(fault));
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    /// Ends the calls that are under way, and takes no further one.
    pub fn shutdown(&self) {
        let mut shared = self.lock();
        shared.is_stopping = true;
        for worker in shared.workers.drain(..) {
            worker.client.agent.shutdown();
        }
    }

    fn try_send(&self, request: HttpRequest) -> Result<(), Fault> {
        let mut shared = self.lock();
        if shared.is_stopping {
            return Err(Fault::new(FaultKind::Stopped, "the agent is stopping"));
        }
        let worker = self.worker(&mut shared.workers, &request.endpoint)?;
        worker.open.fetch_add(1, Ordering::AcqRel);
        let call = (request, worker.client.agent.clone());
        worker.queue.try_send(call).map_err(|err| {
            worker.open.fetch_sub(1, Ordering::AcqRel);
            match err {
                TrySendError::Full(_) => {
                    Fault::new(FaultKind::Overload, "too many calls are waiting")
                }
                TrySendError::Disconnected(_) => {
                    Fault::new(FaultKind::Stopped, "the worker thread has ended")
                }
            }
        })
    }

    /// The worker of an endpoint, with a client for its present settings.
    fn worker<'a>(
        &self,
        workers: &'a mut Vec<Worker>,
        endpoint: &Arc<Endpoint>,
    ) -> Result<&'a Worker, Fault> {
        let is_it = |worker: &Worker| worker.endpoint.name == endpoint.name;
        let Some(place) = workers.iter().position(is_it) else {
            if workers.len() >= MAX_WORKERS {
                let detail = "too many services are called at the same time";
                return Err(Fault::new(FaultKind::Overload, detail));
            }
            let worker = self.start(workers, endpoint)?;
            workers.push(worker);
            return workers
                .last()
                .ok_or_else(|| Fault::new(FaultKind::Stopped, ""));
        };
        let own = &workers[place];
        let is_poll = own.endpoint.lane == Lane::LongPoll;
        let has_changed = own.endpoint != *endpoint;
        if has_changed || (is_poll && own.open.load(Ordering::Acquire) > 0) {
            if is_poll {
                own.client.agent.clone().shutdown();
            }
            let client = client(workers, endpoint)?;
            let own = &mut workers[place];
            (own.client, own.endpoint) = (client, Arc::clone(endpoint));
        }
        Ok(&workers[place])
    }

    fn start(&self, workers: &[Worker], endpoint: &Arc<Endpoint>) -> Result<Worker, Fault> {
        let (sender, receiver) = sync_channel(match endpoint.lane {
            Lane::Queue(length) => length,
            Lane::LongPoll => POLL_QUEUE,
        });
        let worker = Worker {
            endpoint: Arc::clone(endpoint),
            client: client(workers, endpoint)?,
            queue: sender,
            open: Arc::default(),
        };
        let (handle, open) = (self.clone(), Arc::clone(&worker.open));
        let name = endpoint.name.clone();
        thread::Builder::new()
            .name(name.clone())
            .stack_size(STACK_BYTES)
            .spawn(move || handle.serve(&name, &receiver, &open))
            .map_err(|err| {
                let detail = format!("cannot start thread {}: {err}", endpoint.name);
                Fault::new(FaultKind::Overload, detail)
            })?;
        Ok(worker)
    }

    fn serve(&self, name: &str, calls: &Receiver<Call>, open: &AtomicUsize) {
        loop {
            let (request, agent) = match calls.recv_timeout(self.idle) {
                Ok(call) => call,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => match self.retire(name, calls) {
                    Some(call) => call,
                    None => return,
                },
            };
            let reply = Reply::Http(call::call(&agent, &request));
            open.fetch_sub(1, Ordering::AcqRel);
            let ticket = request.ticket;
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    /// Ends an idle worker, unless a call came meanwhile: nobody sends without the lock.
    fn retire(&self, name: &str, calls: &Receiver<Call>) -> Option<Call> {
        let mut shared = self.lock();
        let late = calls.try_recv().ok();
        if late.is_none() {
            shared.workers.retain(|worker| worker.endpoint.name != name);
        }
        late
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a client for an endpoint.
fn client(workers: &[Worker], endpoint: &Endpoint) -> Result<Client, Fault> {
    let others = || {
        workers
            .iter()
            .filter(|own| own.endpoint.trust == endpoint.trust)
    };
    let tls = match others().next() {
        Some(own) => Arc::clone(&own.client.tls),
        None => tls::trusting(&endpoint.trust)?,
    };
    let is_same =
        |own: &&Worker| own.endpoint.base == endpoint.base && own.endpoint.proxy == endpoint.proxy;
    let names = others().find(is_same);
    let names = names.map_or_else(Names::new, |own| own.client.names.clone());
    let agent = agent(endpoint, &names, &tls)?;
    Ok(Client { agent, names, tls })
}

fn agent(endpoint: &Endpoint, names: &Names, tls: &Arc<ClientConfig>) -> Result<Agent, Fault> {
    let socket = match &endpoint.base {
        Base::Unix(path) => Some(path.clone()),
        Base::Url(_) => None,
    };
    let proxy = match &endpoint.proxy {
        Some(url) if socket.is_none() => Some(
            Proxy::new(url.expose())
                .map_err(|_| Fault::new(FaultKind::Unreachable, "the proxy URL is not usable"))?,
        ),
        _ => None,
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE_CONNECTION)
        .accept_encoding("identity")
        .input_buffer_size(8 * 1024)
        .output_buffer_size(8 * 1024)
        .user_agent(concat!("rackwarden/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .build();
    let connector =
        ().chain(UnixConnector(socket))
            .chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(TlsConnector::new(Arc::clone(tls), names.clone()));
    Ok(Agent::with_parts(config, connector, names.clone()))
}

#[cfg(test)]
mod tests;
