//! The feeds against real sockets and files: what a server and a recording bring is what the intake gets.

#[path = "feed/dedupe.rs"]
mod dedupe;
#[path = "feed/peer.rs"]
mod peer;
#[path = "feed/recording.rs"]
mod recording;
#[path = "feed/robust.rs"]
mod robust;
#[path = "feed/websocket.rs"]
mod websocket;

/// A chat message of the wire, `second` seconds after a fixed time.
fn chat(id: &str, second: u32) -> String {
    format!(
        r#"{{"type":"chat","id":"{id}","at":"2025-08-17T22:{:02}:{:02}Z","channel":"k:1","text":"salut"}}"#,
        second / 60,
        second % 60
    )
}
