//! Where the daemon looks: it asks for pictures of a channel from its first event on, again after a reconnect, and no more
//! once the stream is over. A server written here stands for the platform.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn next(socket: &mut Socket, kind: &str) -> Value {
    let wanted = async {
        loop {
            let message = socket.next().await.expect("still connected").expect("a message");
            let Message::Text(text) = message else { continue };
            let value: Value = serde_json::from_str(&text).expect("JSON");
            if value["type"] == kind {
                return value;
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(90), wanted).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for `{kind}`"))
}

async fn accept(listener: &TcpListener) -> Socket {
    let accepted = tokio::time::timeout(Duration::from_secs(90), listener.accept()).await;
    let (stream, _) = accepted.expect("the daemon connects").expect("a connection");
    let mut socket = accept_async(stream).await.expect("a websocket");
    next(&mut socket, "subscribe").await;
    socket
}

async fn tell(socket: &mut Socket, id: &str, second: u32, more: Value) {
    let mut event =
        json!({"id": id, "at": format!("2026-01-05T20:00:{second:02}Z"), "channel": "k:1"});
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    socket.send(Message::text(event.to_string())).await.expect("sent");
}

#[tokio::test]
async fn pictures_are_asked_for_from_the_first_event_on_again_after_a_reconnect_and_not_when_it_is_over()
 {
    if vigie::model::load_runtime(None).is_err() {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vigie.toml");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n[store]\ndir = \"state\"\n[[feed]]\n\
         name = \"f\"\ntype = \"websocket\"\nurl = \"ws://127.0.0.1:{port}\"\nclock = \"data\"\n"
    );
    std::fs::write(&path, config).expect("a config");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(["run", "-c"]).arg(&path).current_dir(env!("CARGO_MANIFEST_DIR"));
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("vigie starts");
    let _daemon = Daemon(child);

    let mut socket = accept(&listener).await;
    let live = json!({"type": "stream", "state": "live", "title": "an evening"});
    tell(&mut socket, "s1", 1, live).await;
    let asked = next(&mut socket, "sample").await;
    assert_eq!(asked["channel"], "k:1");
    assert_eq!((&asked["every_ms"], &asked["burst"]), (&json!(20_000), &json!(8)), "{asked}");
    drop(socket);

    let mut socket = accept(&listener).await;
    assert_eq!(next(&mut socket, "sample").await["every_ms"], 20_000, "after a reconnect");

    // Paid requests for acts: the level rises, and with it the attention.
    let words = ["20€ et tu lui mets une gifle", "frappe-le encore plus fort", "encore une gifle"];
    for (n, text) in words.into_iter().enumerate() {
        let more = json!({"type": "donation", "amount": {"value": "20.00", "currency": "EUR"},
            "source": "tip", "user": {"id": format!("u{n}")}, "text": text});
        tell(&mut socket, &format!("d{n}"), 5 + n as u32, more).await;
    }
    // The last of them is judged at the end of its second.
    tell(&mut socket, "c1", 20, json!({"type": "chat", "text": "mdr"})).await;
    let more = next(&mut socket, "sample").await;
    assert!(more["every_ms"].as_u64().is_some_and(|every| every < 20_000), "{more}");

    tell(&mut socket, "s2", 30, json!({"type": "stream", "state": "offline"})).await;
    loop {
        if next(&mut socket, "sample").await["every_ms"] == 0 {
            break;
        }
    }
}
