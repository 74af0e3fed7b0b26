//! The feed and a server that behaves: subscription, resume, frames, sample requests, credential, TLS.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{self, Message};
use vigie::event::{Body, ChannelId, FeedItem, Kind, SampleRequest};
use vigie::feed::{FeedEvent, FeedReport, OptionsError, ToFeed};

use super::chat;
use super::peer::{Intake, Peer, options, soon};

#[tokio::test]
async fn the_first_message_is_the_subscription_as_the_contract_writes_it() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.channels = vec!["kick:123".into(), "twitch:\"9\"".into()];
    options.kinds = Kind::ALL[..7].to_vec();
    let _intake = Intake::start(options, None);
    let server = peer.accept().await;
    assert_eq!(
        server.subscribe,
        r#"{"type":"subscribe","version":1,"channels":["kick:123","twitch:\"9\""],"kinds":["chat","donation","reward","frame","stream","notice","moderation"],"resume":null}"#
    );
    assert_eq!(server.bearer, None);
}

#[tokio::test]
async fn the_credential_is_sent_as_bearer_and_shown_nowhere() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.token = Some("s3cret".into());
    assert!(!format!("{options:?}").contains("s3cret"));
    let _intake = Intake::start(options, None);
    assert_eq!(peer.accept().await.bearer.as_deref(), Some("Bearer s3cret"));
}

#[tokio::test]
async fn what_the_server_sends_arrives_in_order_with_the_time_of_arrival() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    server.send(chat("a", 0)).await;
    server
        .send(r#"{"type":"gap","from":"2025-08-17T22:00:00Z","to":"2025-08-17T22:00:09Z"}"#)
        .await;
    let header = br#"{"type":"frame","id":"f","at":"2025-08-17T22:14:03Z","channel":"k:1","media":"image/jpeg","look":{"id":"L7","n":3,"of":8}}"#;
    let mut message = (header.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(header);
    message.extend_from_slice(b"\xff\xd8 a picture");
    server.ws.send(Message::binary(message)).await.unwrap();
    server.send(r#"{"type":"cursor","value":"c1"}"#).await;

    let before = jiff::Timestamp::now().as_millisecond() - 60_000;
    let told = soon("an event", intake.out.recv()).await.unwrap();
    assert!((before..before + 120_000).contains(&told.received.0));
    let FeedEvent::Item(FeedItem::Event(event)) = told.what else { panic!("{told:?}") };
    assert_eq!(&*event.id, "a");
    assert!(matches!(intake.item().await, FeedItem::Gap(gap) if gap.channel.is_none()));
    let frame = intake.event().await;
    let Body::Frame(frame) = frame.body else { panic!("{frame:?}") };
    assert_eq!(&frame.data[..], b"\xff\xd8 a picture");
    assert_eq!(frame.look.unwrap().n, 3);
    assert!(matches!(intake.item().await, FeedItem::Cursor(c) if &*c == "c1"));
    assert_eq!(intake.counts.all(), [FeedReport::Connected(true)]);
}

#[tokio::test]
async fn after_a_loss_the_last_handled_cursor_is_presented_not_the_last_seen() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), Some("c0"));
    let mut server = peer.accept().await;
    assert!(server.subscribe.ends_with(r#""resume":"c0"}"#), "{}", server.subscribe);
    intake.connected().await;
    for cursor in ["c1", "c2", "c3"] {
        server.send(format!(r#"{{"type":"cursor","value":"{cursor}"}}"#)).await;
        intake.item().await;
    }
    intake.tell(ToFeed::Handled("c1".into())).await;
    intake.tell(ToFeed::Handled("c2".into())).await;
    drop(server);
    intake.disconnected().await;
    let server = peer.accept().await;
    assert!(server.subscribe.ends_with(r#""resume":"c2"}"#), "{}", server.subscribe);
    intake.connected().await;
    let up = FeedReport::Connected(true);
    let down = FeedReport::Connected(false);
    assert_eq!(intake.counts.all(), [up, down, FeedReport::Reconnect, up]);
}

#[tokio::test]
async fn losses_in_a_row_are_numbered() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    for number in 1..=3 {
        drop(peer.accept().await);
        intake.connected().await;
        let next = intake.next().await;
        assert!(
            matches!(next, FeedEvent::Disconnected { attempt, .. } if attempt == number),
            "{next:?}"
        );
    }
}

fn ask(channel: &str, look: &str, every_ms: u32) -> ToFeed {
    let channel = ChannelId::new(channel);
    ToFeed::Sample(SampleRequest { channel, look: look.into(), every_ms, burst: 8, over_ms: 2000 })
}

#[tokio::test]
async fn sample_requests_arrive_and_those_in_force_are_told_to_the_next_connection() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    intake.tell(ask("k:1", "L7", 20_000)).await;
    let expected = r#"{"type":"sample","channel":"k:1","look":"L7","every_ms":20000,"burst":8,"over_ms":2000}"#;
    assert_eq!(server.text().await, expected);
    intake.tell(ask("k:2", "L8", 5_000)).await;
    assert!(server.text().await.contains(r#""look":"L8""#));
    intake.tell(ask("k:2", "L8", 0)).await;
    assert!(server.text().await.contains(r#""every_ms":0"#));
    drop(server);
    intake.disconnected().await;
    // Asked while there is no connection.
    intake.tell(ask("k:3", "L9", 1_000)).await;
    let mut server = peer.accept().await;
    let mut texts = [server.text().await, server.text().await];
    texts.sort();
    assert_eq!(texts[0], expected);
    assert!(texts[1].contains(r#""look":"L9""#), "{texts:?}");
    intake.tell(ask("k:4", "L10", 1_000)).await;
    assert!(server.text().await.contains("L10"), "k:2 was stopped and is not asked for again");
}

#[tokio::test]
async fn a_full_intake_slows_the_reading_loses_nothing_and_stops_nobody_else() {
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.idle_timeout = Duration::from_millis(300);
    let mut intake = Intake::start_narrow(options, None, 1);
    let server = peer.accept().await;
    intake.connected().await;
    // Far more than the sockets' own buffers.
    let padding = "x".repeat(200_000);
    let total = 200;
    let (mut sink, _reader) = futures_util::StreamExt::split(server.ws);
    let sent = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = sent.clone();
    tokio::spawn(async move {
        for n in 0..total {
            let text = chat(&format!("m{n}"), 0).replace("salut", &padding);
            sink.send(Message::text(text)).await.unwrap();
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        std::future::pending::<()>().await
    });
    tokio::time::sleep(Duration::from_millis(900)).await;
    let held = sent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(held < total, "the server could send everything while nobody took it");
    // The channel holds one thing; all of these are taken although the intake is full.
    for n in 0..20 {
        intake.tell(ToFeed::Handled(format!("c{n}").into())).await;
    }
    for n in 0..total {
        assert_eq!(intake.id().await, format!("m{n}"), "waiting was no silence, nothing was lost");
    }
}

#[tokio::test]
async fn stopping_says_goodbye_and_ends_the_task_whatever_it_waits_for() {
    let peer = Peer::new().await;
    let mut intake = Intake::start(options(&peer.url()), None);
    let mut server = peer.accept().await;
    intake.connected().await;
    intake.stop.cancel();
    assert_eq!(server.close_code().await, 1001);
    soon("the end", intake.task).await.unwrap();

    // In the middle of a backoff, with a full intake.
    let closed = { Peer::new().await.url() };
    let intake = Intake::start_narrow(options(&closed), None, 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    intake.stop.cancel();
    soon("the end", intake.task).await.unwrap();
}

#[tokio::test]
async fn a_feed_nobody_listens_to_ends() {
    let peer = Peer::new().await;
    let intake = Intake::start(options(&peer.url()), None);
    let _server = peer.accept().await;
    let Intake { out, task, control: _control, stop: _stop, .. } = intake;
    drop(out);
    soon("the end", task).await.unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Peer::new().await;
    let peer = Peer::new().await;
    let mut options = options(&peer.url());
    options.token = Some("s3cret".into());
    let mut intake = Intake::start(options, None);
    let mut stream = peer.tcp().await;
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await.unwrap();
    let location = elsewhere.url().replace("ws:", "http:");
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    let reason = intake.disconnected().await;
    assert!(reason.contains("302") && reason.contains("not followed"), "{reason}");
    assert!(elsewhere.left_alone(Duration::from_millis(300)).await);
}

#[tokio::test]
async fn plain_text_goes_no_further_than_this_machine_unless_told() {
    for (url, fine) in [
        ("ws://127.0.0.1:1/x", true),
        ("ws://[::1]:1/x", true),
        ("ws://localhost/x", true),
        ("wss://example.org/x", true),
        ("ws://192.0.2.1/x", false),
        ("ws://localhost.example.org/x", false),
        ("ws://127.0.0.1.example.org/x", false),
        ("http://127.0.0.1/x", false),
        ("nonsense", false),
    ] {
        let mut options = options(url);
        assert_eq!(options.check().is_ok(), fine, "{url}");
        options.insecure = true;
        assert_eq!(options.check().is_ok(), fine || url.starts_with("ws://"), "{url}");
    }
    let mut two_lines = options("ws://127.0.0.1/x");
    two_lines.token = Some("a\nb".into());
    assert_eq!(two_lines.check(), Err(OptionsError::Token));

    let mut intake = Intake::start(options("ws://192.0.2.1/x"), None);
    let next = intake.next().await;
    assert!(
        matches!(&next, FeedEvent::Failing { reason } if reason.contains("wss://")),
        "{next:?}"
    );
    assert!(matches!(intake.next().await, FeedEvent::Ended));
    soon("the end", intake.task).await.unwrap();
}

/// A certificate authority, and a server's certificate for `localhost` by it.
struct Authority {
    pem: String,
    server: Arc<rustls::ServerConfig>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Authority { pem, server: Arc::new(server) }
}

/// A blocking TLS server on a thread of its own: sends one chat message after the subscription.
fn tls_server(config: Arc<rustls::ServerConfig>) -> u16 {
    fn serve<S: Read + Write>(stream: S) -> Option<()> {
        let mut ws = tungstenite::accept(stream).ok()?;
        let subscribe = ws.read().ok()?.into_text().ok()?;
        assert!(subscribe.starts_with(r#"{"type":"subscribe""#));
        ws.send(Message::text(chat("over tls", 0))).ok()?;
        while ws.read().is_ok() {}
        None
    }
    let listener = std::net::TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((tcp, _)) = listener.accept() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            serve(rustls::StreamOwned::new(session, tcp));
        }
    });
    port
}

#[tokio::test]
async fn tls_trusts_the_given_authority_and_no_other() {
    let ours = authority();
    let port = tls_server(ours.server.clone());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &ours.pem).unwrap();
    let mut good = options(&format!("wss://localhost:{port}/feed"));
    good.ca = Some(ca);
    let mut intake = Intake::start(good.clone(), None);
    intake.connected().await;
    assert_eq!(intake.id().await, "over tls");
    intake.stop.cancel();

    let stranger = folder.path().join("stranger.pem");
    std::fs::write(&stranger, authority().pem).unwrap();
    let nothing = folder.path().join("nothing.pem");
    std::fs::write(&nothing, "no certificate").unwrap();
    let missing = folder.path().join("missing.pem");
    for (ca, expected) in [
        (Some(stranger), "certificate"),
        (None, "certificate"),
        (Some(nothing), "nothing.pem"),
        (Some(missing), "missing.pem"),
    ] {
        let mut bad = good.clone();
        bad.ca = ca;
        let mut intake = Intake::start(bad, None);
        let reason = intake.disconnected().await;
        assert!(reason.contains(expected), "{reason}");
        intake.stop.cancel();
    }
    // The authority vouches for `localhost`, not for this.
    let mut other_name = good;
    other_name.url = format!("wss://127.0.0.1:{port}/feed");
    let reason = Intake::start(other_name, None).disconnected().await;
    assert!(reason.contains("certificate"), "{reason}");
}
