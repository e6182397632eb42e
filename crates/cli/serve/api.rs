//! What the service answers: the page, entities as JSON, its health, its counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use report::jsonl::{self, Offsets};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use train::tagging::Ready;

use super::metrics::Metrics;
use super::queue::{Answer, Queue, Refused};
use crate::explain;

/// What all handlers share.
pub struct Service {
    pub queue: Queue,
    /// The model, to be explained; one text at a time.
    pub ready: Arc<Ready>,
    pub explaining: Semaphore,
    pub metrics: Arc<Metrics>,
    /// Answer of `/health`.
    pub health: String,
    /// The page.
    pub page: String,
    /// How long a request may take, its body included.
    pub timeout: Duration,
}

/// The routes, for bodies of at most `max_body` bytes.
pub fn router(service: Arc<Service>, max_body: usize) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/tag", post(tag))
        .route("/explain", get(explain))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || Failure(StatusCode::NOT_FOUND, "no such address".into()))
        .method_not_allowed_fallback(async || {
            Failure(StatusCode::METHOD_NOT_ALLOWED, "POST to /tag, GET the others".into())
        })
        .layer(DefaultBodyLimit::max(max_body))
        .with_state(service)
}

/// The page needs nothing but itself and `/tag`.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'";

async fn page(State(service): State<Arc<Service>>) -> Response {
    service.metrics.request("/", 200);
    html(service.page.clone())
}

fn html(page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page).into_response()
}

/// What `/explain` asks for.
#[derive(Deserialize)]
struct Asked {
    text: String,
}

/// How the tags of a text came about, as `longhand explain` shows it.
async fn explain(
    State(service): State<Arc<Service>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let work = async {
        let Query(Asked { text }) =
            asked.map_err(|e| Failure(StatusCode::BAD_REQUEST, format!("no ?text=…: {e}")))?;
        let _turn = service.explaining.acquire().await;
        let ready = service.ready.clone();
        let made = tokio::task::spawn_blocking(move || {
            explain::explanation(ready.model(), &text).map(|all| explain::page(&all))
        });
        let failed = |_| Failure(StatusCode::INTERNAL_SERVER_ERROR, "explaining failed".into());
        let refused = |e: data::Error| Failure(StatusCode::BAD_REQUEST, e.message);
        made.await.map_err(failed)?.map_err(refused)
    };
    let response = match tokio::time::timeout(service.timeout, work).await {
        Ok(Ok(page)) => html(page),
        Ok(Err(failure)) => failure.into_response(),
        Err(_) => Failure(StatusCode::REQUEST_TIMEOUT, "it took too long".into()).into_response(),
    };
    service.metrics.request("/explain", response.status().as_u16());
    response
}

async fn health(State(service): State<Arc<Service>>) -> Response {
    let response = match service.queue.has_ended() {
        true => Failure::from(Refused::Ended).into_response(),
        false => {
            ([(header::CONTENT_TYPE, "application/json")], service.health.clone()).into_response()
        }
    };
    service.metrics.request("/health", response.status().as_u16());
    response
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics.text()).into_response()
}

/// Why a request gets no entities.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.1 }).to_string();
        (self.0, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Failure(StatusCode::SERVICE_UNAVAILABLE, "too many texts wait".into()),
            Refused::Ended => {
                let what = "the service can tag no more and must be started again";
                Failure(StatusCode::INTERNAL_SERVER_ERROR, what.into())
            }
        }
    }
}

/// A request: one text or several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    text: Option<String>,
    texts: Option<Vec<String>>,
    #[serde(default)]
    min_score: f64,
    #[serde(default)]
    offsets: Units,
    #[serde(default)]
    format: Shape,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Units {
    #[default]
    Chars,
    Bytes,
    Utf16,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    #[default]
    Displacy,
    Spacy,
}

async fn tag(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let start = Instant::now();
    let work = answer(&service, &headers, request);
    let result = match tokio::time::timeout(service.timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(Failure(StatusCode::REQUEST_TIMEOUT, "it took too long".into())),
    };
    let response = match result {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(failure) => failure.into_response(),
    };
    service.metrics.request("/tag", response.status().as_u16());
    service.metrics.took(start.elapsed());
    response
}

async fn answer(
    service: &Service,
    headers: &HeaderMap,
    request: axum::extract::Request,
) -> Result<String, Failure> {
    let bad = |what: String| Failure(StatusCode::BAD_REQUEST, what);
    let body: Result<Bytes, BytesRejection> = Bytes::from_request(request, &()).await;
    let body = body.map_err(|e| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let what = "the body is too long: send fewer texts at a time, or start with a larger --max-body";
            Failure(e.status(), what.into())
        }
        status => Failure(status, e.body_text()),
    })?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let request: Request = match kind {
        Some(kind) if kind.starts_with("text/plain") => {
            let text = std::str::from_utf8(&body).map_err(|e| bad(format!("not UTF-8: {e}")))?;
            Request {
                text: Some(text.to_owned()),
                texts: None,
                min_score: 0.0,
                offsets: Units::Chars,
                format: Shape::Displacy,
            }
        }
        _ => serde_json::from_slice(&body)
            .map_err(|e| bad(format!(r#"not a request such as {{"text":"Rome fell"}}: {e}"#)))?,
    };
    match (&request.text, &request.texts) {
        (Some(text), None) => {
            let answer = wait(ask(service, text.clone())?).await?;
            Ok(written(&request, answer))
        }
        (None, Some(texts)) => {
            // All are asked before the first answer is waited for: they share a batch.
            let asked: Result<Vec<_>, _> = texts.iter().map(|t| ask(service, t.clone())).collect();
            let mut lines = Vec::with_capacity(texts.len());
            for answer in asked? {
                lines.push(written(&request, wait(answer).await?));
            }
            Ok(format!("[{}]", lines.join(",")))
        }
        _ => Err(bad("a request has either `text` or `texts`".into())),
    }
}

/// Puts a text into the queue.
fn ask(service: &Service, text: String) -> Result<oneshot::Receiver<Answer>, Failure> {
    Ok(service.queue.put(text)?)
}

async fn wait(answer: oneshot::Receiver<Answer>) -> Result<Answer, Failure> {
    let failed = |_| Failure(StatusCode::INTERNAL_SERVER_ERROR, "tagging failed".into());
    answer.await.map_err(failed)
}

fn written(request: &Request, answer: Answer) -> String {
    let Answer { document, mut entities } = answer;
    entities.retain(|e| e.score.is_none_or(|score| score >= request.min_score));
    match request.format {
        Shape::Displacy => {
            let offsets = match request.offsets {
                Units::Chars => Offsets::Chars,
                Units::Bytes => Offsets::Bytes,
                Units::Utf16 => Offsets::Utf16,
            };
            jsonl::line_with(&document.text, &entities, offsets, &[])
        }
        Shape::Spacy => document.spacy(&entities),
    }
}
