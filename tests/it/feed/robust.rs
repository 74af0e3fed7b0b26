//! The feed and a server that misbehaves: bad messages, silence, breaches of the protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use vigie::event::{Body, FeedItem};
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
async fn each_thing_wrong_in_an_event_costs_that_event_alone() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    let event = |fields: &str| {
        format!(
            r#"{{"type":"chat","id":"1","at":"2025-08-17T22:00:00Z","channel":"k:1","text":"x",{fields}}}"#
        )
    };
    let long = "x".repeat(1025);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bad = [
        ("unknown", "[]".to_owned()),
        ("unknown", "null".to_owned()),
        ("unknown", r#"{"type":5}"#.to_owned()),
        ("chat", event("").replace(r#""text":"x","#, &format!(r#""text":{deep}"#))),
        ("unknown", chat("cut", 0).trim_end_matches('}').to_owned()),
        ("chat", event("").replace(r#""text":"x","#, r#""text":["x"]"#)),
        ("chat", event("").replace(r#""id":"1","#, r#""id":1,"#).replace(",}", "}")),
        ("chat", chat("x", 0).replace("2025-08-17T22:00:00Z", "2004-12-31T23:59:59Z")),
        ("chat", chat("x", 0).replace("2025-08-17T22:00:00Z", "2101-01-01T00:00:00Z")),
        ("chat", chat("x", 0).replace("2025-08-17T22:00:00Z", "+292277026596-12-04T15:30:07Z")),
        ("chat", chat("x", 0).replace("2025-08-17T22:00:00Z", "1755468000")),
        ("chat", chat("x", 0).replace("2025-08-17T22:00:00Z", "")),
        ("chat", chat(&long, 0)),
        ("chat", chat("x", 0).replace("k:1", &long)),
        ("chat", chat("x", 0).replace("k:1", "")),
        (
            "donation",
            chat("x", 0).replace(r#""type":"chat""#, r#""type":"donation""#),
        ),
        ("gap", r#"{"type":"gap","from":"2025-08-17T22:00:00Z"}"#.to_owned()),
        (
            "gap",
            r#"{"type":"gap","from":"2025-08-17T22:00:00Z","to":"9999-08-17T22:00:00Z"}"#.to_owned(),
        ),
        (
            "gap",
            r#"{"type":"gap","from":"2025-08-17T22:00:00Z","to":"2025-08-17T21:00:00Z"}"#.to_owned(),
        ),
        ("unknown", format!(r#"{{"type":"cursor","value":"{}"}}"#, "c".repeat(16_385))),
        (
            "frame",
            r#"{"type":"frame","id":"1","at":"2025-08-17T22:00:00Z","channel":"k:1","media":"image/jpeg","data":"no base64!"}"#
                .to_owned(),
        ),
    ];
    for (_, text) in &bad {
        server.send(text.as_str()).await;
    }
    server.send(chat("good", 0)).await;
    assert_eq!(intake.id().await, "good", "nothing of what was wrong came through");
    let counted = intake.counts.dropped();
    for ((kind, text), counted) in bad.iter().zip(&counted) {
        let shown = &text[..text.len().min(120)];
        assert_eq!(*counted, (*kind, "malformed"), "{shown}");
    }
    assert_eq!(counted.len(), bad.len());
}

#[tokio::test]
async fn a_started_at_of_another_age_is_not_told() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    for (told, kept) in [("1970-01-01T00:00:00Z", false), ("2025-08-17T20:00:00Z", true)] {
        server
            .send(format!(
                r#"{{"type":"stream","id":"1","at":"2025-08-17T22:00:00Z","channel":"k:1","state":"live","started_at":"{told}"}}"#
            ))
            .await;
        let Body::Stream(info) = intake.event().await.body else { panic!() };
        assert_eq!(info.started_at.is_some(), kept, "{told}");
    }
}

#[tokio::test]
async fn a_server_that_closes_in_the_middle_of_a_message_is_resumed_and_nothing_of_it_is_used() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), Some("c1"));
    let half = chat("half", 0);
    let frames: [&[u8]; 3] = [
        // A whole message announced, half of it sent.
        &[&[0x81, half.len() as u8][..], &half.as_bytes()[..20]].concat(),
        // The first of several fragments.
        &[&[0x01, 20][..], &half.as_bytes()[..20]].concat(),
        // The header of a frame, cut.
        &[0x82, 127, 0, 0],
    ];
    for bytes in frames {
        let mut server = peer.accept().await;
        assert!(server.subscribe.ends_with(r#""resume":"c1"}"#), "{}", server.subscribe);
        intake.connected().await;
        server.raw(bytes).await;
        drop(server);
        intake.disconnected().await;
    }
    assert_eq!(intake.counts.dropped(), [], "a lost connection is no breach");
    let mut server = peer.accept().await;
    intake.connected().await;
    server.send(chat("after", 1)).await;
    assert_eq!(intake.id().await, "after");
}

#[tokio::test]
async fn a_server_that_refuses_is_tried_again_and_its_answer_is_said() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    for (answer, said) in [
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "401"),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "handshake failed"),
        ("", ""),
    ] {
        let mut stream = peer.tcp().await;
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        drop(stream);
        let reason = intake.disconnected().await;
        assert!(reason.contains(said), "{answer}: {reason}");
    }
    peer.accept().await;
    intake.connected().await;
}

#[tokio::test]
async fn a_server_that_takes_the_call_and_says_nothing_is_given_up() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.idle_timeout = Duration::from_millis(300);
    let mut intake = Intake::start(options, None);
    let mute = peer.tcp().await;
    let reason = intake.disconnected().await;
    assert!(reason.contains("no connection within 300 ms"), "{reason}");
    peer.accept().await;
    intake.connected().await;
    drop(mute);
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
