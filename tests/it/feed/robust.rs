//! The feed and a server that misbehaves: bad messages, silence, breaches of the protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use vigie::event::FeedItem;
use vigie::feed::{CEILING, FeedEvent, ToFeed};

use super::chat;
use super::peer::{Intake, Peer, options};

/// A text message of two bytes that are not UTF-8.
const NOT_UTF8: [u8; 4] = [0x81, 0x02, 0xff, 0xfe];

#[tokio::test]
async fn bad_messages_are_counted_by_kind_and_reason_and_skipped() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    server.send("words").await;
    server.send(r#"{"type":"chat","id":"1"}"#).await;
    server.send(r#"{"type":"audio","id":"1"}"#).await;
    server.ws.send(Message::binary(vec![0, 0, 0, 9, 1])).await.unwrap();
    server.send(chat("good", 0)).await;
    assert_eq!(intake.id().await, "good");
    assert_eq!(
        intake.counts.dropped(),
        [
            ("unknown", "malformed"),
            ("chat", "malformed"),
            ("unknown", "unknown_type"),
            ("frame", "malformed"),
        ]
    );
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_read_and_dropped_and_the_connection_goes_on() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    let just = chat("just", 0);
    options.message_limit = just.len();
    let mut intake = Intake::start(options, None);
    let mut server = peer.accept().await;
    intake.connected().await;
    server.send(format!("{} ", chat("over", 0))).await;
    server.ws.send(Message::binary(vec![0; 17 << 20])).await.unwrap();
    server.send(just).await;
    assert_eq!(intake.id().await, "just");
    assert_eq!(intake.counts.dropped(), [("unknown", "too_large"); 2]);
}

#[tokio::test]
async fn a_message_beyond_64_mib_ends_that_connection_before_it_is_read() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), Some("c1"));
    let mut server = peer.accept().await;
    intake.connected().await;
    let mut header = vec![0x82, 127];
    header.extend_from_slice(&(CEILING as u64 + 1).to_be_bytes());
    server.raw(&header).await;
    assert_eq!(server.close_code().await, 1009);
    let reason = intake.disconnected().await;
    assert!(reason.contains("64 MiB"), "{reason}");
    assert_eq!(intake.counts.dropped(), [("unknown", "too_large")]);
    assert!(peer.accept().await.subscribe.ends_with(r#""resume":"c1"}"#));
}

#[tokio::test]
async fn invalid_utf8_ends_that_connection_and_three_times_at_one_cursor_is_failing() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), Some("c1"));
    for round in 1..=3 {
        let mut server = peer.accept().await;
        assert!(server.subscribe.ends_with(r#""resume":"c1"}"#), "{}", server.subscribe);
        intake.connected().await;
        server.send(chat("before", 0)).await;
        server.raw(&NOT_UTF8).await;
        assert_eq!(intake.id().await, "before");
        assert_eq!(server.close_code().await, 1007);
        if round == 3 {
            let next = intake.next().await;
            assert!(
                matches!(&next, FeedEvent::Failing { reason } if reason.contains("UTF-8")),
                "{next:?}"
            );
        }
        intake.disconnected().await;
    }
    assert_eq!(intake.counts.dropped(), [("unknown", "malformed"); 3]);
    // Tried all the same, and well again once the cursor has passed that place.
    let mut server = peer.accept().await;
    intake.connected().await;
    server.send(r#"{"type":"cursor","value":"c2"}"#).await;
    assert!(matches!(intake.item().await, FeedItem::Cursor(_)));
    intake.tell(ToFeed::Handled("c2".into())).await;
    sleep(Duration::from_millis(50)).await;
    server.send(chat("after", 1)).await;
    assert!(matches!(intake.next().await, FeedEvent::Recovered));
    assert_eq!(intake.id().await, "after");
}

#[tokio::test]
async fn a_breach_of_the_protocol_ends_that_connection() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    // A reserved opcode.
    server.raw(&[0x83, 0x00]).await;
    assert_eq!(server.close_code().await, 1002);
    intake.disconnected().await;
    assert_eq!(intake.counts.dropped(), [("unknown", "malformed")]);
    peer.accept().await;
}

#[tokio::test]
async fn a_connection_that_is_merely_lost_is_no_breach() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), Some("c"));
    for _ in 0..4 {
        drop(peer.accept().await);
        intake.connected().await;
        intake.disconnected().await;
    }
    assert_eq!(intake.counts.dropped(), []);
}

#[tokio::test]
async fn silence_means_reconnect() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.idle_timeout = Duration::from_millis(300);
    let mut intake = Intake::start(options, None);
    // Nobody reads on this side, so no ping is answered.
    let server = peer.accept().await;
    intake.connected().await;
    let begun = std::time::Instant::now();
    let reason = intake.disconnected().await;
    assert!(reason.contains("300 ms"), "{reason}");
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    peer.accept().await;
    drop(server);
}

#[tokio::test]
async fn a_server_that_answers_pings_or_pings_itself_is_not_silent() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.idle_timeout = Duration::from_millis(300);
    let mut intake = Intake::start(options, None);
    let mut server = peer.accept().await;
    intake.connected().await;
    // Reading answers the daemon's pings.
    let mut pings = 0;
    let reading = async {
        while let Some(Ok(message)) = server.ws.next().await {
            pings += u32::from(message.is_ping());
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(1000), reading).await;
    assert!((4..=7).contains(&pings), "one each 150 ms: {pings}");
    // Pinging without reading.
    for _ in 0..10 {
        server.ws.send(Message::Ping(vec![1].into())).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    server.send(chat("still here", 0)).await;
    assert_eq!(intake.id().await, "still here");
}

#[tokio::test]
async fn a_large_message_on_a_slow_line_is_no_silence() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.idle_timeout = Duration::from_millis(300);
    let mut intake = Intake::start(options, None);
    let mut server = peer.accept().await;
    intake.connected().await;
    let text = chat("slow", 0);
    let mut bytes = vec![0x81, 126];
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    for part in bytes.chunks(bytes.len() / 8) {
        server.raw(part).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(intake.id().await, "slow");
}
