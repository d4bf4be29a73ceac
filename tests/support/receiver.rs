//! A server that receives webhooks, and answers as a test says.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The status that it was answered with.
    pub status: u16,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A running receiver. It works as long as the test process lives.
pub struct Receiver {
    port: u16,
    messages: Arc<Mutex<Vec<Message>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            messages: Arc::default(),
            answers: Arc::default(),
        };
        let (messages, answers) = (receiver.messages.clone(), receiver.answers.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (messages, answers) = (messages.clone(), answers.clone());
                thread::spawn(move || serve(stream, &messages, &answers));
            }
        });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers the next messages with these codes, and later ones with 200.
    pub fn answers(&self, codes: &[u16]) {
        *self.answers.lock().unwrap() = codes.to_vec();
    }

    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Returns the accepted messages, as `event task`.
    pub fn told(&self) -> Vec<String> {
        let messages = self.messages();
        let taken = messages.iter().filter(|message| message.status == 200);
        taken
            .map(|message| {
                let message = message.json();
                let subject = [&message["task"], &message["subject"]];
                let subject = subject.iter().find_map(|subject| subject.as_str());
                format!(
                    "{} {}",
                    message["event"].as_str().unwrap(),
                    subject.unwrap()
                )
            })
            .collect()
    }
}

fn serve(stream: TcpStream, messages: &Mutex<Vec<Message>>, answers: &Mutex<Vec<u16>>) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(mut message) = read(&mut reader) {
        let mut answers = answers.lock().unwrap();
        message.status = match answers.is_empty() {
            true => 200,
            false => answers.remove(0),
        };
        let status = message.status;
        // As servers do, a refusal repeats what it refuses.
        let said = match status {
            200 => String::new(),
            _ => format!(
                "Cannot POST {} {}",
                message.path,
                message.header("authorization").unwrap_or_default()
            ),
        };
        messages.lock().unwrap().push(message);
        let answer = format!(
            "HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n\r\n{said}",
            said.len()
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Message> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut message = Message {
        path,
        headers,
        body: Vec::new(),
        status: 0,
    };
    let length = message.header("content-length")?.parse().ok()?;
    message.body.resize(length, 0);
    reader.read_exact(&mut message.body).ok()?;
    Some(message)
}
