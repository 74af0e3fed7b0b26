//! Evidence is kept within its caps, under its digest, and identities open only with their key.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use vigie::alert::{EvidenceKind, State};
use vigie::event::{ChannelId, Digest, Keyer, Level, Timestamp};
use vigie::evidence::{
    Evidence, EvidenceOptions, Identity, IdentityError, IdentityKey, Piece, Ring, Vault, Why,
};
use vigie::store::{Commit, Keep, Store};

use crate::store::{AT, change};

const CHAT: EvidenceKind = EvidenceKind::Chat;
const FRAME: EvidenceKind = EvidenceKind::Frame;

fn push(ring: &Ring, channel: &str, ms: i64, kind: EvidenceKind, bytes: Vec<u8>) -> Digest {
    let digest = Digest::of(&bytes);
    ring.push(&ChannelId::new(channel), AT.plus_ms(ms), digest, kind, bytes.into());
    digest
}

#[test]
fn the_ring_stays_under_its_cap_and_drops_the_oldest_first() {
    let ring = Ring::new(100_000);
    let mut digests = Vec::new();
    for n in 0..500 {
        let channel = format!("k:{}", n % 10);
        digests.push(push(&ring, &channel, n, CHAT, format!("{n:>1000}").into_bytes()));
        assert!(ring.bytes() <= 100_000, "{}", ring.bytes());
    }
    assert!(ring.bytes() > 90_000);
    let here: Vec<bool> = digests.iter().map(|digest| ring.get(digest).is_some()).collect();
    let first = here.iter().position(|here| *here).unwrap();
    assert!(first > 0 && here[first..].iter().all(|here| *here), "not the oldest went");
}

#[test]
fn one_channels_flood_leaves_the_others_their_place() {
    let ring = Ring::new(100_000);
    let quiet = push(&ring, "k:quiet", 0, CHAT, b"he said help".to_vec());
    for n in 0..2_000 {
        push(&ring, "k:loud", n, CHAT, format!("{n:>500}").into_bytes());
    }
    assert!(ring.get(&quiet).is_some());
    assert!(ring.bytes_of(&ChannelId::new("k:loud")) <= 25_000);
    ring.forget(&ChannelId::new("k:loud"));
    ring.forget(&ChannelId::new("k:quiet"));
    assert_eq!(ring.bytes(), 0);
}

#[test]
fn the_ring_holds_two_minutes_of_chat_and_the_last_looks() {
    let ring = Ring::new(1 << 20);
    let words: Vec<Digest> =
        (0..=150).map(|s| push(&ring, "k:1", s * 1000, CHAT, vec![s as u8; 9])).collect();
    assert!(ring.get(&words[29]).is_none());
    assert!(words[30..].iter().all(|digest| ring.get(digest).is_some()));
    // Looks of 8 pictures in 2 s, every 20 s: the last, and the one before it that may wait for its score.
    let looks: Vec<Vec<Digest>> = (0..5)
        .map(|look| {
            (0..8)
                .map(|n| {
                    let ms = 200_000 + look * 20_000 + n * 280;
                    push(&ring, "k:1", ms, FRAME, vec![look as u8, n as u8, 1])
                })
                .collect()
        })
        .collect();
    let here = |look: &[Digest]| look.iter().filter(|digest| ring.get(digest).is_some()).count();
    assert_eq!(looks.iter().map(|look| here(look)).collect::<Vec<_>>(), [0, 0, 0, 8, 8]);
}

#[test]
fn the_vault_writes_once_and_never_hands_out_changed_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(dir.path()).unwrap();
    let digest = Digest::of(b"picture");
    vault.put(&digest, b"picture").unwrap();
    vault.put(&digest, b"picture").unwrap();
    let hex = digest.hex();
    let path = dir.path().join(&hex[..2]).join(&hex);
    assert_eq!(std::fs::read(&path).unwrap(), b"picture");
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    assert_eq!(vault.get(&digest).as_deref(), Some(&b"picture"[..]));
    assert_eq!(vault.size(&digest), Some(7));
    std::fs::write(&path, b"another").unwrap();
    assert_eq!(vault.get(&digest), None);
    vault.remove(&digest).unwrap();
    vault.remove(&digest).unwrap();
    // What a crash left half-written goes at the next start.
    std::fs::write(dir.path().join("tmp/x"), b"half").unwrap();
    Vault::open(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

fn offer(evidence: &Evidence, level: Level, kind: EvidenceKind, bytes: &[u8]) -> Piece {
    let digest = Digest::of(bytes);
    let channel = ChannelId::new("k:1");
    evidence.offer(&channel, level, AT, digest, kind, Bytes::copy_from_slice(bytes));
    Piece { digest, kind, at: AT }
}

#[test]
fn what_is_cited_is_kept_and_what_is_gone_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let channel = ChannelId::new("k:1");
    let why = Why::Cited { alert: Uuid::from_u128(1) };
    let words = {
        let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
        let words = offer(&evidence, Level::None, CHAT, b"words");
        let lost = Piece { digest: Digest::of(b"never came"), kind: CHAT, at: AT };
        let kept = evidence.keep(&channel, Level::Danger, &[words, lost], why).unwrap();
        assert_eq!(kept.missing, [lost.digest]);
        assert_eq!((kept.rows.len(), kept.rows[0].bytes), (1, 5));
        assert_eq!(evidence.keep(&channel, Level::Danger, &[words, lost], why).unwrap(), kept);
        words
    };
    // After a restart the ring is empty, the vault is not: the same rows again.
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    assert_eq!(evidence.get(&words.digest).as_deref(), Some(&b"words"[..]));
    assert_eq!(evidence.keep(&channel, Level::Danger, &[words], why).unwrap().rows.len(), 1);
}

#[test]
fn from_watch_up_all_that_comes_outlasts_the_process_and_the_lowest_level_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let (calm, watch, danger) = {
        let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
        let calm = offer(&evidence, Level::None, CHAT, b"calm");
        let watch = offer(&evidence, Level::Watch, CHAT, &[1; 3000]);
        let danger = offer(&evidence, Level::Danger, FRAME, &[2; 3000]);
        evidence.settle();
        (calm, watch, danger)
    };
    let options = EvidenceOptions { cap: 4_000, ..EvidenceOptions::default() };
    let evidence = Evidence::open(dir.path(), options).unwrap();
    evidence.settle();
    assert_eq!(evidence.get(&calm.digest), None);
    assert_eq!(evidence.get(&watch.digest).as_deref(), Some(&[1; 3000][..]));
    assert_eq!(evidence.recent().entries, 2);
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    assert_eq!(evidence.trim(now, 0), 0);
    assert_eq!(evidence.get(&watch.digest), None);
    assert!(evidence.get(&danger.digest).is_some());
    // A day and an hour later it has had its time.
    evidence.trim(now.plus_ms(26 * 3_600_000), 0);
    assert_eq!(evidence.get(&danger.digest), None);
    assert_eq!(evidence.recent().bytes, 0);
}

#[test]
fn what_a_reason_may_cite_outlasts_the_ring_in_a_channel_that_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let channel = ChannelId::new("k:1");
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    let said = offer(&evidence, Level::None, CHAT, b"I cannot go on");
    let idle = offer(&evidence, Level::None, CHAT, b"hello");
    evidence.remember(Level::None, &[said]);
    let (later, bytes) = (AT.plus_ms(9 * 60_000), Bytes::from_static(b"and nobody cares"));
    evidence.offer(&channel, Level::None, later, Digest::of(&bytes), CHAT, bytes);
    let why = Why::Cited { alert: Uuid::from_u128(1) };
    let kept = evidence.keep(&channel, Level::Danger, &[said, idle], why).unwrap();
    assert_eq!(kept.missing, [idle.digest]);
    assert_eq!(evidence.get(&said.digest).as_deref(), Some(&b"I cannot go on"[..]));
}

#[test]
fn a_pack_torn_by_a_crash_keeps_what_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    let pieces: Vec<Piece> =
        (0..3u8).map(|n| offer(&evidence, Level::Watch, CHAT, &[n; 100])).collect();
    drop(evidence);
    let recent = dir.path().join("evidence/recent");
    let pack = std::fs::read_dir(recent).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&pack).unwrap();
    std::fs::write(&pack, &bytes[..bytes.len() - 30]).unwrap();
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    let next = offer(&evidence, Level::Watch, CHAT, &[9; 100]);
    evidence.settle();
    let here = |piece: &Piece| evidence.get(&piece.digest).is_some();
    assert_eq!(pieces.iter().map(here).collect::<Vec<_>>(), [true, true, false]);
    assert!(here(&next));
}

#[tokio::test]
async fn retention_deletes_on_time_and_what_is_gone_is_shown_so() {
    const DAY: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    let channel = ChannelId::new("k:1");
    let cited = offer(&evidence, Level::None, CHAT, b"cited");
    let both = offer(&evidence, Level::None, CHAT, b"cited and of an act");
    let act = offer(&evidence, Level::None, CHAT, b"of an act");
    let mut alert = change(1, 1, Level::Danger, State::Open);
    let why = Why::Cited { alert: alert.alert.id };
    let rows = evidence.keep(&channel, Level::Danger, &[cited, both], why).unwrap().rows;
    let commit = Commit { change: alert.clone(), outbox: vec![], evidence: rows };
    store.commit_changes(&[commit]).await.unwrap();
    let acts = Why::Act { request: act.digest };
    let rows = evidence.keep(&channel, Level::Danger, &[act, both], acts).unwrap().rows;
    store.put_evidence(&rows).await.unwrap();
    evidence.forget(&channel);

    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let here = || [cited, both, act].map(|piece| evidence.get(&piece.digest).is_some());
    store.sweep(&evidence, now.plus_ms(89 * DAY)).await.unwrap();
    assert_eq!(here(), [true, true, true]);
    let swept = store.sweep(&evidence, now.plus_ms(91 * DAY)).await.unwrap();
    assert_eq!((here(), swept.deleted), ([true, true, false], 1));
    // An alert that has not ended keeps what it cites.
    store.sweep(&evidence, now.plus_ms(1000 * DAY)).await.unwrap();
    assert_eq!(here(), [true, true, false]);
    alert.alert.revision = 2;
    alert.alert.ended_at = Some(AT);
    let commit = Commit { change: alert.clone(), outbox: vec![], evidence: vec![] };
    store.commit_changes(&[commit]).await.unwrap();
    store.sweep(&evidence, now.plus_ms(179 * DAY)).await.unwrap();
    assert_eq!(here(), [true, true, false]);
    store.sweep(&evidence, now.plus_ms(181 * DAY)).await.unwrap();
    assert_eq!(here(), [false, false, false]);
    let pieces = store.cited_by(alert.alert.id).await.unwrap();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.gone.is_some()));
}

#[tokio::test]
async fn over_the_cap_acts_lose_pictures_but_one_and_alerts_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let options = EvidenceOptions { cap: 5_000, ..EvidenceOptions::default() };
    let evidence = Evidence::open(dir.path(), options).unwrap();
    let channel = ChannelId::new("k:1");
    let frame = |n: u8| {
        let bytes = vec![n; 1_000];
        let digest = Digest::of(&bytes);
        let at = AT.plus_ms(i64::from(n) * 280);
        evidence.offer(&channel, Level::None, at, digest, FRAME, bytes.into());
        Piece { digest, kind: FRAME, at }
    };
    let frames: Vec<Piece> = (0..8).map(frame).collect();
    let alert = change(1, 1, Level::Danger, State::Open);
    let why = Why::Cited { alert: alert.alert.id };
    let rows = evidence.keep(&channel, Level::Danger, &frames[6..], why).unwrap().rows;
    store
        .commit_changes(&[Commit { change: alert, outbox: vec![], evidence: rows }])
        .await
        .unwrap();
    let act = Why::Act { request: Digest::of(b"request") };
    let rows = evidence.keep(&channel, Level::Danger, &frames[..6], act).unwrap().rows;
    store.put_evidence(&rows).await.unwrap();
    evidence.forget(&channel);
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let swept = store.sweep(&evidence, now).await.unwrap();
    assert_eq!((swept.vault_bytes, swept.over), (5_000, 0));
    assert!(evidence.get(&frames[0].digest).is_some());
    // Nothing but cited evidence and one picture an act is left: full is full, and said.
    let evidence =
        Evidence::open(dir.path(), EvidenceOptions { cap: 1_000, ..EvidenceOptions::default() });
    let swept = store.sweep(&evidence.unwrap(), now).await.unwrap();
    assert_eq!((swept.vault_bytes, swept.over), (3_000, 2_000));
}

#[tokio::test]
async fn identities_open_with_their_key_and_for_their_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (user, other) = (Keyer::replay().key("kick", "u1"), Keyer::replay().key("kick", "u2"));
    let identity = Identity { platform: "kick".into(), id: "u1".into(), name: Some("Zoé".into()) };
    let key = IdentityKey::new(b"credential");
    let sealed = key.seal(&user, &identity);
    assert!(!sealed.windows(2).any(|two| two == b"u1"));
    assert_ne!(sealed, key.seal(&user, &identity), "a nonce was used twice");
    let put = async |sealed: &[u8], until| {
        store.put_identities(&[(user, sealed.to_vec(), Timestamp(until))]).await.unwrap();
    };
    put(&sealed, 1_000).await;
    put(b"later", 5_000).await;
    put(b"earlier", 2_000).await;
    let keep = Keep { channels: Duration::from_secs(1), cited: Duration::from_secs(1) };
    assert_eq!(
        store.prune_people(&keep, Timestamp(5_000)).await.unwrap(),
        (0, 0),
        "the longest time holds"
    );
    let stored = store.identity(&user).await.unwrap().unwrap();
    assert_eq!(stored, sealed);
    assert_eq!(store.identity(&other).await.unwrap(), None);
    assert_eq!(key.open(&user, &stored), Ok(identity));
    assert_eq!(IdentityKey::new(b"wrong").open(&user, &stored), Err(IdentityError::Key));
    assert_eq!(key.open(&other, &stored), Err(IdentityError::Key));
    for n in 1..stored.len() {
        let mut bent = stored.clone();
        bent[n] ^= 1;
        assert_eq!(key.open(&user, &bent), Err(IdentityError::Key));
        assert!(key.open(&user, &stored[..n]).is_err());
    }
    assert_eq!(store.prune_people(&keep, Timestamp(5_001)).await.unwrap(), (1, 0));
    assert_eq!(store.identity(&user).await.unwrap(), None, "its time is over");
}

#[test]
fn a_ring_forgets_nothing_that_another_item_still_holds() {
    let ring = Ring::new(1 << 20);
    let same = push(&ring, "k:1", 0, CHAT, b"same".to_vec());
    push(&ring, "k:2", 0, CHAT, b"same".to_vec());
    ring.forget(&ChannelId::new("k:1"));
    assert!(ring.get(&same).is_some());
    ring.forget(&ChannelId::new("k:2"));
    assert!(ring.get(&same).is_none());
    assert!(Duration::from_secs(86_400) == EvidenceOptions::default().recent);
}

#[test]
fn a_piece_that_the_disk_cut_short_is_written_again_while_its_bytes_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let channel = ChannelId::new("k:1");
    let why = Why::Cited { alert: Uuid::from_u128(1) };
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    let piece = offer(&evidence, Level::None, CHAT, b"words that were said");
    let keep = |evidence: &Evidence| evidence.keep(&channel, Level::Danger, &[piece], why).unwrap();
    let rows = keep(&evidence).rows;
    let hex = piece.digest.hex();
    let path = dir.path().join("evidence").join(&hex[..2]).join(&hex);
    std::fs::write(&path, b"words").unwrap();
    assert_eq!(keep(&evidence).rows, rows);
    assert_eq!(std::fs::read(&path).unwrap(), b"words that were said");
    // With nothing left of it in memory it is gone, and never handed out as whole.
    drop(evidence);
    std::fs::write(&path, b"words").unwrap();
    let evidence = Evidence::open(dir.path(), EvidenceOptions::default()).unwrap();
    assert_eq!(evidence.get(&piece.digest), None);
}

#[test]
fn what_is_held_for_a_disk_that_cannot_write_outlasts_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let options = EvidenceOptions { ring_bytes: 8_000, ..EvidenceOptions::default() };
    let evidence = Evidence::open(dir.path(), options).unwrap();
    let piece = offer(&evidence, Level::None, CHAT, b"held");
    evidence.hold(&[piece]);
    for n in 0..100u8 {
        offer(&evidence, Level::None, CHAT, &[n; 500]);
    }
    assert_eq!(evidence.get(&piece.digest).as_deref(), Some(&b"held"[..]));
    evidence.release(&[piece]);
    assert_eq!(evidence.get(&piece.digest), None);
}

#[test]
fn on_a_full_disk_the_lowest_level_is_given_up_first_and_no_more_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let evidence =
        Evidence::open(dir.path(), EvidenceOptions { ring_bytes: 0, ..EvidenceOptions::default() })
            .unwrap();
    let watch = offer(&evidence, Level::Watch, CHAT, b"watch");
    let danger = offer(&evidence, Level::Danger, CHAT, b"danger");
    evidence.settle();
    evidence.pause(true);
    let late = offer(&evidence, Level::Danger, CHAT, b"late");
    let here = || [watch, danger, late].map(|piece| evidence.get(&piece.digest).is_some());
    assert_eq!(here(), [true, true, false]);
    assert!(evidence.free_least());
    assert_eq!(here(), [false, true, false]);
    assert!(evidence.free_least() && !evidence.free_least());
    evidence.pause(false);
    offer(&evidence, Level::Danger, CHAT, b"late");
    evidence.settle();
    assert_eq!(here(), [false, false, true]);
}
