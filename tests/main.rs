//! Integration tests, by subject. The built server runs as a child process; its internet is the stage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod addresses;
mod admission;
mod bad_input;
mod bad_start;
mod clients;
mod command;
mod connections;
mod doctor;
mod doors;
mod egress;
mod exits;
mod extract;
mod extraction;
mod hostile;
mod http2;
mod javascript;
mod lifecycle;
mod limits;
mod logs;
mod metrics;
mod names;
mod namespaces;
mod operations;
mod pages;
mod photos;
mod playlists;
mod proxies;
mod quarantine;
mod ranges;
mod resume;
mod segments;
mod silence;
mod smuggling;
mod stage_checks;
mod stage_entities;
mod stage_packages;
mod stage_server;
mod stream;
mod support;
mod systemd;
mod tiktok;
mod tls;
mod tokens;
