//! `--debuginfod`: the recorded core without its binary, and a server that has it. No Go is needed.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::recorded;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// What a server answers with.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// It says that there is more.
    Cut(Vec<u8>),
    Status(u16),
}

/// A server on this machine, which serves until the test ends.
struct Server {
    url: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { url, answers: Arc::default(), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&server.answers), Arc::clone(&server.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { continue };
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let path = first.split(' ').nth(1).unwrap_or("").to_owned();
                let answer = answers.lock().unwrap().get(&path).cloned().unwrap_or(Answer::Status(404));
                asked.lock().unwrap().push(path);
                let (status, len, body) = match answer {
                    Answer::Whole(body) => (200, body.len(), body),
                    Answer::Cut(body) => (200, body.len() + 1, body),
                    Answer::Status(status) => (status, 0, Vec::new()),
                };
                // Who asked may have hung up.
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        server
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn gopsy(args: &[&str], core: &Path, urls: &str, cache: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    command.args(args).arg(core).env("NO_COLOR", "1").env("DEBUGINFOD_CACHE_PATH", cache).env("DEBUGINFOD_URLS", urls);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    // The page breaks its lines.
    format!("{out}{err}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn only_who_asks_for_it_has_servers_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (core, cache) = (folder.path().join("core"), folder.path().join("cache"));
    std::fs::write(&core, recorded("core")).unwrap();
    let binary = recorded("nilfield");
    let image = gopsy_image::Image::parse(Arc::new(binary.clone())).unwrap();
    let id = gopsy_image::hex(&image.build_id().unwrap().bytes);
    let path = format!("/buildid/{id}/executable");
    let kept = cache.join(&id).join("executable");
    let server = Server::start();
    let answers = |answer| server.answers.lock().unwrap().insert(path.clone(), answer);
    let with = format!("--debuginfod={}", server.url);

    answers(Answer::Whole(binary.clone()));
    let output = gopsy(&["explain"], &core, &server.url, &cache);
    assert!(
        !output.status.success() && said(&output).contains("or ask servers with --debuginfod"),
        "{}",
        said(&output)
    );
    assert_eq!(server.asked(), [""; 0], "nobody asked for it");

    // What a server sends is not believed.
    let other = std::fs::read(env!("CARGO_BIN_EXE_gopsy")).unwrap();
    for (answer, why) in [
        (Answer::Status(404), "it does not have it"),
        (Answer::Status(500), "it answers with status 500"),
        (Answer::Cut(binary.clone()), "Peer disconnected"),
        (Answer::Whole(b"<html>".to_vec()), "it is not an ELF file"),
        (Answer::Whole(other), "what it sends is another build"),
    ] {
        answers(answer);
        let output = gopsy(&["explain", &with], &core, "", &cache);
        assert!(!output.status.success(), "{why}");
        let told = format!("{path} (from debuginfod): {}: {why}", server.url);
        assert!(said(&output).contains(&told), "{told}: {}", said(&output));
        assert!(server.asked().contains(&path), "{why}");
        let left: Vec<_> = std::fs::read_dir(&cache)
            .into_iter()
            .flatten()
            .flatten()
            .flat_map(|e| std::fs::read_dir(e.path()).unwrap())
            .collect();
        assert!(left.is_empty(), "{why}: {left:?}");
    }

    // A server that is not there, and one that has it. What it sent is not asked for again.
    answers(Answer::Whole(binary));
    let urls = format!("http://127.0.0.1:1 {}", server.url);
    let output = gopsy(&["explain", "--debuginfod", "--json"], &core, &urls, &cache);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["verdict"]["kind"], "nil-dereference", "{}", said(&output));
    assert!(kept.is_file() && server.asked().contains(&path));
    let output = gopsy(&["info", &with], &core, "", &cache);
    assert!(said(&output).contains("from debuginfod; the build ids agree"), "{}", said(&output));
    assert!(!server.asked().contains(&path));

    // elfutils' client leaves an empty file where a server had nothing.
    std::fs::write(&kept, b"").unwrap();
    assert!(gopsy(&["stacks", &with], &core, "", &cache).status.success());
    assert!(server.asked().contains(&path));

    let output = gopsy(&["stacks", "--debuginfod"], &core, "", &cache);
    assert!(said(&output).contains("--debuginfod: DEBUGINFOD_URLS \"\" names no server"), "{}", said(&output));
}
