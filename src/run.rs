//! `rackwarden run`: the agent in the foreground, from its configuration to the last record on disk.

use crate::agent::{Agent, Parts, Services};
use crate::args::RunOptions;
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::logger;
use crate::service::Supervisor;
use crate::signals;
use log::Level;
use rackwarden_core::config::{Config, Listen};
use rackwarden_core::event::Event;
use rackwarden_core::history::Archive;
use rackwarden_core::http::auth::Auth;
use rackwarden_core::journal::Journal;
use rackwarden_core::plugins::PLUGINS;
use rackwarden_core::plugins::power;
use rackwarden_core::state::Records;
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::{self, reason};
use rackwarden_io::http_client::HttpHandle as ClientHandle;
use rackwarden_io::http_server::{self, HttpHandle as ServerHandle, HttpServer};
use rackwarden_io::inbox::Inbox;
use rackwarden_io::local::{self, LocalSocket};
use rackwarden_io::notify::Manager;
use rackwarden_io::store::{self, FileStorage, HistoryFiles, LogFiles, StateDir, StoreHandle};
use rackwarden_io::stream::Listener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the agent until SIGTERM or SIGINT.
pub(crate) fn run(options: &RunOptions) -> Outcome {
    let clock = Clock::start();
    let (mut config, path) = load::config(options.config.as_deref())?;
    if let Some(plugins) = &options.plugins {
        config
            .restrict_plugins(plugins, PLUGINS)
            .map_err(Failure::usage)?;
    }
    let source = Source {
        path,
        plugins: options.plugins.clone(),
    };
    logger::configure(&config).map_err(Failure::operation)?;
    warn(&config, &source.path);
    start(clock, config, source).map_err(Failure::operation)
}

fn warn(config: &Config, path: &Path) {
    let warnings = config.warnings.iter();
    let line = |warning| format!("{}: {warning}", path.display());
    logger::each(Level::Warn, warnings.map(line));
}

/// Where the configuration comes from, at the start and at every reload.
struct Source {
    path: PathBuf,
    plugins: Option<Vec<String>>,
}

impl Source {
    fn load(&self) -> Result<Config, Vec<String>> {
        let mut config = load::read(&self.path)?;
        if let Some(plugins) = &self.plugins {
            config
                .restrict_plugins(plugins, PLUGINS)
                .map_err(|why| vec![why])?;
        }
        Ok(config)
    }
}

fn start(clock: Clock, config: Config, source: Source) -> Result<(), String> {
    let inbox = Inbox::new();
    let (store, records) = open_state(&config, &inbox)?;
    let listeners = http_server::bind(&config.http.listen)
        .map_err(|err| cannot_listen(&config.http.listen, &err))?;
    let page = listeners.first().and_then(Listener::local_addr);
    let config = Arc::new(config);
    let manager = Manager::of_environment().map(Arc::new);
    let parts = Parts {
        config: Arc::clone(&config),
        clock,
        inbox: inbox.clone(),
        records,
        past: environment::past(),
        store,
        http: Some(ClientHandle::new(inbox.clone())),
        terminal: None,
        supervisor: manager.as_ref().map(Supervisor::new),
    };
    let mut server_handle = None;
    let agent = Agent::start(parts, |published, waker| {
        let (server, handle) = HttpServer::new(
            listeners,
            auth(&config),
            Arc::clone(published),
            clock,
            waker.clone(),
        );
        server_handle = Some(handle);
        let mut services = Services {
            list: vec![Box::new(server)],
            local: None,
        };
        match open_local(&config) {
            Ok(listener) => {
                let (socket, handle) =
                    LocalSocket::new(listener, inbox.clone(), Arc::clone(published), clock, waker);
                services.list.push(Box::new(socket));
                services.local = Some(handle);
            }
            Err(why) => log::warn!("`ask` and `status` do not reach this agent: {why}"),
        }
        Ok(services)
    })?;
    let mut reload = Reload {
        source,
        config: Arc::clone(&config),
        inbox: inbox.clone(),
        server: server_handle,
        manager,
    };
    signals::spawn(move || inbox.send(Event::Stop), move || reload.run())
        .map_err(|err| format!("cannot watch for signals: {}", reason(&err)))?;
    match page {
        Some(page) => log::info!(
            "{} {}: {} PDUs, status page http://{page}/",
            config.name,
            env!("CARGO_PKG_VERSION"),
            power::settings(&config).pdus.len()
        ),
        None => log::info!(
            "{} {}: {} PDUs",
            config.name,
            env!("CARGO_PKG_VERSION"),
            power::settings(&config).pdus.len()
        ),
    }
    agent.run();
    log::info!("stopped");
    Ok(())
}

fn open_state(config: &Config, inbox: &Inbox) -> Result<(Option<StoreHandle>, Records), String> {
    let path = config
        .state_dir
        .as_deref()
        .ok_or("no state directory; set state_dir")?;
    let dir = StateDir::lock(path)?;
    let journal = Journal::open(FileStorage::new(dir))
        .map_err(|fault| format!("cannot read the state: {fault}"))?;
    let mut records = journal.records().clone();
    let damaged = records.repairs.len();
    store::reconcile(path, &mut records);
    // An ordinary end by a kill needs those, so no chat is told of them.
    for repair in records.repairs.drain(damaged..) {
        log::warn!("state: {repair}");
    }
    let logs = LogFiles::new(path.to_owned(), config.log.max_size_bytes, config.log.keep);
    let on_disk = config.history.on_disk;
    let history = on_disk.then(|| Archive::new(HistoryFiles::new(path)));
    let store = StoreHandle::spawn(journal, logs, history, inbox.clone())
        .map_err(|err| format!("cannot start the store thread: {err}"))?;
    Ok((Some(store), records))
}

fn cannot_listen(listen: &Listen, err: &std::io::Error) -> String {
    format!(
        "the status page: {listen} cannot be opened: {}; choose another address in [http] listen",
        reason(err)
    )
}

fn open_local(config: &Config) -> Result<Listener, String> {
    let variable = |name| std::env::var(name).ok();
    let (runtime, xdg) = (variable("RUNTIME_DIRECTORY"), variable("XDG_RUNTIME_DIR"));
    let directory = local::directory(
        runtime.as_deref(),
        xdg.as_deref(),
        config.state_dir.as_deref(),
    );
    let directory = directory.ok_or("there is no directory for the local socket; set state_dir")?;
    local::bind(&directory).map_err(|err| {
        format!(
            "cannot open {}: {}",
            directory.join(local::FILE_NAME).display(),
            reason(&err)
        )
    })
}

fn auth(config: &Config) -> Auth {
    Auth::new(config.http.token.clone(), &[&config.name])
}

/// SIGHUP: a valid file is swapped in as a whole, an invalid one is reported and the old one stays.
struct Reload {
    source: Source,
    config: Arc<Config>,
    inbox: Inbox,
    server: Option<ServerHandle>,
    manager: Option<Arc<Manager>>,
}

impl Reload {
    /// The service manager is told when it begins, here when it fails, and by the core when it is done.
    fn run(&mut self) {
        if let Some(manager) = &self.manager {
            manager.tell_reloading();
        }
        let outcome = match self.source.load() {
            Ok(config) => self.swap(config),
            Err(errors) => {
                let count = errors.len();
                logger::each(Level::Error, errors.into_iter());
                Err(format!("{count} error(s)"))
            }
        };
        if let Err(why) = outcome {
            log::error!("the configuration was not reloaded, the old one stays: {why}");
            if let Some(manager) = &self.manager {
                manager.tell("READY=1");
            }
        }
    }

    fn swap(&mut self, mut config: Config) -> Result<(), String> {
        let listeners = if config.http.listen == self.config.http.listen {
            None
        } else {
            let bind = |err| cannot_listen(&config.http.listen, &err);
            Some(http_server::bind(&config.http.listen).map_err(bind)?)
        };
        logger::configure(&config)?;
        if config.state_dir != self.config.state_dir {
            log::warn!("state_dir is another one; that needs a restart");
            config.state_dir.clone_from(&self.config.state_dir);
        }
        if config.history.on_disk != self.config.history.on_disk {
            log::warn!("[history] on_disk is another one; that needs a restart");
            config.history.on_disk = self.config.history.on_disk;
        }
        if config.plugins != self.config.plugins {
            log::warn!("the list of plugins is another one; that needs a restart");
            config.plugins.clone_from(&self.config.plugins);
        }
        warn(&config, &self.source.path);
        if let Some(server) = &self.server {
            server.reload(listeners, auth(&config));
        }
        self.config = Arc::new(config.clone());
        self.inbox.send(Event::Reload(Box::new(config)));
        Ok(())
    }
}
