//! `longhand serve`, asked by a real client.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use common::Dir;
use serde_json::{Value, json};

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &Dir, more: &[&str]) -> Self {
        let listen = ["--listen", "127.0.0.1:0"];
        let listen = if more.contains(&"--listen") { &[][..] } else { &listen };
        let args = [&["serve", "run/model.safetensors"], listen, more].concat();
        let mut child = common::command(&dir.path("."))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").expect("an address").to_owned();
        Self { child, address }
    }

    /// Status and body of an answer.
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let n = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {n}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(body); // a body that is too long may be cut off
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn tag(&self, request: &Value) -> (u16, Value) {
        let (status, body) =
            self.ask("POST", "/tag", "application/json", request.to_string().as_bytes());
        (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}")))
    }

    fn metric(&self, line: &str) -> u64 {
        let (_, text) = self.ask("GET", "/metrics", "", b"");
        let value = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn model() -> Dir {
    let dir = Dir::new();
    let small =
        ["--set", "decode=best", "--set", "encoder=bilstm:16", "--set", "embedding=16", "-q"];
    dir.run(&[&["train", "-o", "run", "--epochs", "1"], &small[..]].concat()).expect(0);
    dir
}

#[test]
fn the_service_answers_refuses_and_stops() {
    let dir = model();
    let mut server = Server::start(&dir, &["--max-body", "5000"]);

    // What it says is what `tag` says, alone and in company.
    let text =
        |n: usize| format!("Mr. Lincoln told {n} reporters in Houston on Monday. Łódź 😀 {n}");
    let lines: Vec<String> = (0..40).map(text).collect();
    let args = ["tag", "run/model.safetensors", "--out", "jsonl"];
    let want = dir.run_with(&args, &lines.join("\n")).expect(0).out;
    let want: Vec<Value> = want.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(want.iter().any(|line| line["ents"].as_array().unwrap().len() > 1));
    let server_ref = &server;
    std::thread::scope(|scope| {
        for part in 0..8 {
            let (lines, want) = (&lines, &want);
            scope.spawn(move || {
                for n in (part..40).step_by(8) {
                    let (status, answer) = server_ref.tag(&json!({ "text": lines[n] }));
                    assert_eq!((status, &answer), (200, &want[n]));
                }
            });
        }
    });
    let (_, answers) = server.tag(&json!({ "texts": lines[..20] }));
    assert_eq!(answers.as_array().unwrap(), &want[..20]);
    assert_eq!(server.ask("POST", "/tag", "text/plain", lines[3].as_bytes()).0, 200);

    // How the tags came about; the text comes as a form sends it.
    let (status, page) = server.ask("GET", "/explain?text=Ann+left+%C5%81%C3%B3d%C5%BA.", "", b"");
    assert!(status == 200 && page.contains("Łódź") && page.contains("<!DOCTYPE html>"), "{page}");
    assert_eq!(server.ask("GET", "/explain?text=+", "", b"").0, 400);
    assert_eq!(server.ask("GET", "/explain", "", b"").0, 400);
    let long = format!("/explain?text={}", "a+".repeat(200));
    assert!(server.ask("GET", &long, "", b"").1.contains("too many to explain"));
    assert!(server.ask("GET", "/", "", b"").1.contains("formaction=\"explain\""));

    // Other shapes.
    let (_, spacy) = server.tag(&json!({ "text": "In Houston. On Monday.", "format": "spacy" }));
    assert_eq!(
        (spacy["sents"].as_array().unwrap().len(), &spacy["tokens"][1]["start"]),
        (2, &json!(3))
    );
    let (_, none) = server.tag(&json!({ "text": lines[0], "min_score": 1.1 }));
    assert_eq!(none["ents"], json!([]));
    let some = want.iter().position(|line| line["ents"][0].is_object()).unwrap();
    let after_a_face = format!("😀\n\n{}", lines[some]);
    let (_, utf16) = server.tag(&json!({ "text": after_a_face, "offsets": "utf16" }));
    let (_, chars) = server.tag(&json!({ "text": after_a_face }));
    let start = |v: &Value| v["ents"][0]["start"].as_u64().unwrap();
    assert_eq!(start(&utf16), start(&chars) + 1);

    // Mistakes.
    for body in
        ["", "{", "[]", "{}", r#"{"text":1}"#, r#"{"text":"a","texts":[]}"#, r#"{"txt":"a"}"#]
    {
        let (status, answer) = server.ask("POST", "/tag", "application/json", body.as_bytes());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(status == 400 && answer["error"].is_string(), "{body}: {status} {answer}");
    }
    assert_eq!(server.ask("POST", "/tag", "text/plain", &[0xff]).0, 400);
    let (status, said) = server.ask("POST", "/tag", "text/plain", &[b'a'; 6000]);
    assert!(status == 413 && said.contains("--max-body"), "{said}");
    for (path, code) in [("/tag", 405), ("/nothing", 404)] {
        let (status, answer) = server.ask("GET", path, "", b"");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(status == code && answer["error"].is_string(), "{path}: {status} {answer}");
    }

    // What it says of itself.
    let (_, health) = server.ask("GET", "/health", "", b"");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["status"], "ok");
    let labels: Vec<&str> =
        health["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!(server.metric(r#"longhand_requests_total{path="/tag",status="200"}"#), 46);
    assert_eq!(server.metric(r#"longhand_requests_total{path="/tag",status="400"}"#), 8);
    assert_eq!(server.metric("longhand_texts_total"), 65);
    assert_eq!(server.metric("longhand_tag_seconds_count"), 55);
    let (status, page) = server.ask("GET", "/", "", b"");
    assert_eq!(status, 200);
    assert!(labels.iter().all(|label| page.contains(&format!("\"{label}\":"))), "{page}");
    for word in ["http:", "https:", "url(", "@import", "src=", "<link rel=\"stylesheet\"", "/*"] {
        assert!(!page.contains(word), "{word}");
    }

    // A second one cannot have the port.
    let taken = ["serve", "run/model.safetensors", "--listen", &server.address];
    dir.run(&taken).expect(2).says(&["E071", "taken", "port 0"]);
    dir.run(&["serve", "run/model.safetensors", "--listen", "home"]).expect(2).says(&["E071"]);

    // TERM stops it, quietly.
    #[cfg(unix)]
    {
        let id = server.child.id().to_string();
        assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
        assert!(server.child.wait().unwrap().success());
        assert!(TcpStream::connect(&server.address).is_err());
    }
}

#[test]
fn an_address_that_others_reach_gets_a_warning_and_slow_requests_an_end() {
    let dir = model();
    let mut server = Server::start(&dir, &["--listen", "0.0.0.0:0", "--timeout", "1"]);
    server.address = server.address.replace("0.0.0.0", "127.0.0.1");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(b"POST /tag HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    // Half a head, and nothing more.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream.write_all(b"POST /tag HT").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the service ends the connection");
    let mut line = String::new();
    BufReader::new(server.child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("W070") && line.contains("0.0.0.0"), "{line}");
}
