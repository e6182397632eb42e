//! `longhand serve`: a small HTTP service with a page of its own.

mod api;
mod metrics;
mod queue;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data::{Error, Warning};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use train::tagging::Ready;

use crate::args::ServeArgs;
use crate::{Screen, Stop, device, input, say, warn};
use api::Service;
use metrics::Metrics;
use queue::Queue;

/// How long a client may take for the head of a request, at most.
const HEAD: Duration = Duration::from_secs(15);

/// The button that opens how the tags came about.
const EXPLAIN: &str = r#"<button id="explain" class="other" formaction="explain" formtarget="_blank">Explain</button>"#;

/// How long requests that run when the service is stopped may go on.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until Ctrl-C or a TERM signal.
pub fn run(args: &ServeArgs, screen: Screen) -> Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let choice = args.device.parse()?;
    let ready = Arc::new(device::ready(input::model(&args.model)?, choice, screen)?);
    if ready.model().code.pos.is_some() {
        warn(&[train::doubts::without_pos()], screen);
    }
    let metrics = Arc::new(Metrics::default());
    let service = Arc::new(Service {
        health: health(args, &ready),
        page: page(&ready),
        queue: Queue::start(ready.clone(), metrics.clone()),
        ready,
        explaining: Semaphore::new(1),
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
        serve(listener, app, HEAD.min(Duration::from_secs(args.timeout))).await
    })
}

async fn serve(listener: TcpListener, app: axum::Router, head: Duration) -> Result<(), Stop> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // A client that is gone already, or too many open files: some will be closed.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(app.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        // What goes wrong with a connection is its client's to see.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    tokio::select! {
        () = open.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    Ok(())
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
    // A port alone is one of this machine, and so is its name.
    let address = match listen.strip_prefix("localhost:").unwrap_or(listen) {
        port if port.parse::<u16>().is_ok() => format!("127.0.0.1:{port}"),
        _ => listen.to_owned(),
    };
    let address: SocketAddr = address.parse().map_err(|_| {
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
        .replace("<!--EXPLAIN-->", EXPLAIN)
}
