//! The socket between the front and the processes inside: how they are told what to be, and when to stop.
//!
//! It is their standard input. The conversation:
//!
//! 1. [`enter`](super::enter) says how its namespaces came about ([`Namespaces`]), the front answers which user ids
//!    there are ([`Users`]);
//! 2. the front sends the open listeners of the published ports, then the plan as a line of JSON;
//! 3. the front says [`STOP`], or hangs up, which it also does by dying: whoever hears that has no reason to live.

use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// The front asks for an orderly stop.
pub(super) const STOP: u8 = b'.';

/// So many ports can be published: what fits into one message with room to spare (`SCM_MAX_FD` is 253).
pub(super) const MAX_LISTENERS: usize = 64;

/// How the namespaces came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// By the rights that we already had.
    Privileged,
    /// Inside a user namespace, whose user ids are yet to be mapped.
    Unprivileged,
}

/// Which user ids exist in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Users {
    /// All that are needed: the sidecars run as their own user.
    Many,
    /// Only ours, as root of the user namespace: the sidecars mark their connections instead.
    One,
}

/// What the front hands to PID 1.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handed {
    pub(super) users: Users,
    pub(super) plan: Plan,
}

/// The namespaces' side of the socket: standard input.
pub(super) fn inside() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

pub(super) fn send_namespaces(mut socket: &UnixStream, made: Namespaces) -> io::Result<()> {
    socket.write_all(match made {
        Namespaces::Privileged => b"p",
        Namespaces::Unprivileged => b"u",
    })
}

/// `None` if the other side died before it said so.
pub(super) fn receive_namespaces(socket: &UnixStream) -> io::Result<Option<Namespaces>> {
    Ok(match receive_byte(socket)? {
        Some(b'p') => Some(Namespaces::Privileged),
        Some(b'u') => Some(Namespaces::Unprivileged),
        _ => None,
    })
}

pub(super) fn send_users(mut socket: &UnixStream, users: Users) -> io::Result<()> {
    socket.write_all(match users {
        Users::Many => b"m",
        Users::One => b"1",
    })
}

/// `None` if the front died before it said so.
pub(super) fn receive_users(socket: &UnixStream) -> io::Result<Option<Users>> {
    Ok(match receive_byte(socket)? {
        Some(b'm') => Some(Users::Many),
        Some(b'1') => Some(Users::One),
        _ => None,
    })
}

pub(super) fn send_plan(
    mut socket: &UnixStream,
    listeners: &[TcpListener],
    handed: &Handed,
) -> io::Result<()> {
    let descriptors: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LISTENERS))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !attached.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other(format!(
            "more than {MAX_LISTENERS} published ports"
        )));
    }
    sendmsg(socket, &[IoSlice::new(b"l")], &mut attached, SendFlags::empty())?;
    let mut line = serde_json::to_vec(handed)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// The listeners and the plan.
pub(super) fn receive_plan(socket: &UnixStream) -> io::Result<(Vec<TcpListener>, Handed)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LISTENERS))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let listeners = attached
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .map(|descriptor: OwnedFd| TcpListener::from(descriptor))
        .collect();
    // the front says nothing more before PID 1 has begun its work, except to stop: reading ahead could eat that
    let mut line = Vec::new();
    BufReader::with_capacity(1, socket).read_until(b'\n', &mut line)?;
    Ok((listeners, serde_json::from_slice(&line)?))
}

fn receive_byte(mut socket: &UnixStream) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let count = socket.read(&mut byte)?;
    Ok(byte.first().copied().filter(|_| count == 1))
}
