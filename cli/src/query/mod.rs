//! `meshtrace traces` and `meshtrace trace`: questions to a collector, answers as text.

pub mod http;
