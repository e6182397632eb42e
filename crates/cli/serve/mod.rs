//! `longhand serve`: a small HTTP service with a page of its own.

mod api;
mod metrics;
mod queue;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data::{Error, Warning};
use serde_json::json;
use tokio::net::TcpListener;
use train::Model;
use train::tagging::Ready;

use crate::args::ServeArgs;
use crate::{Screen, Stop, device, input, say, warn};
use api::Service;
use metrics::Metrics;
use queue::Queue;

/// How long requests that run when the service is stopped may go on.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until Ctrl-C or a TERM signal.
pub fn run(args: &ServeArgs, screen: Screen) -> Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let choice = args.device.parse()?;
    let ready = Arc::new(device::ready(Model::load(&args.model)?, choice, screen)?);
    let metrics = Arc::new(Metrics::default());
    let service = Arc::new(Service {
        health: health(args, &ready),
        page: page(&ready),
        queue: Queue::start(ready, metrics.clone()),
        metrics,
        timeout: Duration::from_secs(args.timeout),
    });
    let app = api::router(service, args.max_body);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().map_err(no_threads)?;
    runtime.block_on(async {
        let listener = bind(&args.listen).await?;
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            let warning = Warning::new("W070", format!("{address} can be reached from elsewhere"));
            let help = "there is no password and no encryption; put a proxy in front that has both";
            warn(&[warning.help(help)], screen);
        }
        writeln!(io::stdout(), "http://{address}")?;
        if !screen.quiet {
            say("serving; Ctrl-C stops");
        }
        serve(listener, app).await
    })
}

async fn serve(listener: TcpListener, app: axum::Router) -> Result<(), Stop> {
    let (stop, mut stopped) = tokio::sync::watch::channel(());
    let asked = async move {
        stop_signal().await;
        drop(stop);
    };
    let late = async move {
        let _ = stopped.changed().await; // an error: the sender is gone
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = axum::serve(listener, app).with_graceful_shutdown(asked) => Ok(done?),
        () = late => Ok(()),
    }
}

/// Waits for Ctrl-C or, on Unix, TERM.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

async fn bind(listen: &str) -> data::Result<TcpListener> {
    let fail = |what: String, help: &str| Error::new("E071", what).help(help);
    let address: SocketAddr = listen.parse().map_err(|_| {
        let help = "such as 127.0.0.1:8080; port 0 takes a free one";
        fail(format!("`{listen}` is no address"), help)
    })?;
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            let help = "another port with --listen, or port 0 for a free one";
            fail(format!("port {port} is taken by another program"), help)
        }
        _ => fail(format!("cannot listen on {address}: {e}"), "choose another with --listen"),
    })
}

fn no_threads(e: io::Error) -> Error {
    Error::new("E045", format!("cannot start threads: {e}"))
}

fn health(args: &ServeArgs, ready: &Ready) -> String {
    let model = args.model.file_name().unwrap_or_default().to_string_lossy();
    json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "model": model,
        "labels": ready.model().tags.types(),
    })
    .to_string()
}

/// The page with the colours of the model's labels.
fn page(ready: &Ready) -> String {
    let labels = ready.model().tags.types().iter();
    let colours: serde_json::Map<String, serde_json::Value> =
        labels.map(|label| (label.clone(), report::html::colour(label).into())).collect();
    // A `<` of a label must not end the script.
    let colours = serde_json::Value::from(colours).to_string().replace('<', "\\u003c");
    include_str!("page.html")
        .replace("/*STYLE*/", &report::html::style())
        .replace("/*COLOURS*/", &colours)
}
