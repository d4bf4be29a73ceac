//! `acrt import` with interrupted uploads to Docker Distribution, behind a proxy that passes on whole requests, as nginx does.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::import::noise;
use crate::support::{Cut, Proxy, Registry, World};

const LAYER: u64 = 24_000_000;

/// The size of `acrt`'s requests after an interruption.
const PIECE: u64 = 16 * 1024 * 1024;

/// The bytes sent besides the layer: the config.
const REST: u64 = 1_000;

/// A request that is cut after this many bytes, and not passed on to the registry.
const fn lost(after: u64) -> Option<Cut> {
    Some(Cut {
        after,
        is_handed_on: false,
    })
}

/// A source with one large layer, and a target behind a proxy.
fn places() -> (World, Registry, Registry, Proxy) {
    let (world, source, target) = (World::new(), Registry::start(), Registry::start());
    let layer = noise(3, usize::try_from(LAYER).unwrap());
    source.push_layers("big:1", &[layer]);
    let proxy = Proxy::to(&target);
    (world, source, target, proxy)
}

fn uploads(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.state().join("uploads"));
    let entries = entries.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn interrupted_upload_loses_one_chunk_and_resumes_in_the_same_process() {
    let (world, source, target, proxy) = places();
    proxy.cut(&[lost(10_000_000), None, lost(5_000_000)]);
    let (from, to) = (source.image("big:1"), proxy.host());
    world.acrt(&["import", "--source", &from, "-n", &to]).ok();
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
    let taken = proxy.taken() - 10_000_000 - 5_000_000;
    assert!((LAYER..LAYER + REST).contains(&taken), "{taken}");
    assert_eq!(uploads(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn upload_with_a_corrupt_partial_blob_is_restarted() {
    let (world, source, target, proxy) = places();
    let torn = Cut {
        after: 10_000_000,
        is_handed_on: true,
    };
    proxy.cut(&[Some(torn)]);
    let (from, to) = (source.image("big:1"), proxy.host());
    world.acrt(&["import", "--source", &from, "-n", &to]).ok();
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
    let taken = proxy.taken() - 10_000_000;
    assert!((LAYER..LAYER + REST).contains(&taken), "{taken}");
}

#[test]
fn upload_is_resumed_by_another_process_within_a_day() {
    let (world, source, target, proxy) = places();
    world.set("ACRT_NOW", "2026-01-01T00:00:00Z");
    let (from, to) = (source.image("big:1"), proxy.host());
    let line = ["import", "--source", &from, "-n", &to];
    let break_off = || {
        let first = [lost(10_000_000), None];
        proxy.cut(&[&first[..], &[lost(1_000_000); 4]].concat());
        world.acrt(&line).exits(4);
        assert_eq!(target.digest("big:1"), None);
    };
    break_off();
    let kept = uploads(&world);
    assert_eq!(kept.len(), 1);
    let mode = fs::metadata(&kept[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = proxy.taken();
    let answer = world.acrt(&line).ok();
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
    let taken = proxy.taken() - before;
    assert!(
        (LAYER - PIECE..LAYER - PIECE + REST).contains(&taken),
        "{taken}"
    );
    let sent = answer.json()["blobs"]["bytesSent"].as_u64().unwrap();
    assert!(sent < LAYER - PIECE + REST, "{answer}");
    assert!(!answer.to_string().contains("_state"), "{answer}");
    assert_eq!(uploads(&world).len(), 0);
}

#[test]
fn expired_upload_is_restarted() {
    let (world, source, target, proxy) = places();
    let (from, to) = (source.image("big:1"), proxy.host());
    let line = ["import", "--source", &from, "-n", &to];
    world.set("ACRT_NOW", "2026-01-01T00:00:00Z");
    proxy.cut(&[lost(1_000_000); 4]);
    world.acrt(&line).exits(4);
    assert_eq!(uploads(&world).len(), 1);
    let before = proxy.taken();
    world.set("ACRT_NOW", "2026-01-02T00:00:01Z");
    world.acrt(&line).ok();
    assert_eq!(target.digest("big:1"), source.digest("big:1"));
    assert!(proxy.taken() - before >= LAYER);
}
