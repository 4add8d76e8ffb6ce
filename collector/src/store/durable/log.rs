//! The write-ahead log: what was acknowledged and stands in no segment yet.
//!
//! ```text
//! DIR/log/00000000000000000001.log, …2.log, …    numbered in the order in which they were written
//! file    := frame*                              see `frame`
//! spans   := received:u64 request                frame of kind 3: OTLP's `ExportTraceServiceRequest` with what was kept
//!                                                of one; when it was, in nanoseconds, little-endian
//! dropped := trace_id[16]*                       frame of kind 2: retention has dropped these traces
//! ```
//!
//! Version 1 had frames of kind 1 instead: `received:u64 batch`, see `codec`. They are still read.
//!
//! A file is written once, front to back, by one process, and never continued by another. What is torn at its end was
//! never acknowledged in mode `sync`, and lies in the last 200 ms in mode `batch`; it is cut off and counted. What is
//! damaged further in is skipped, counted, and left for whoever wants to look.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use otlp::receive::{Packed, from_request};
use span::TraceId;

use super::disk::{self, Disk, DiskFile};
use super::frame::{self, Next};
use super::{OpenError, codec};

/// A file that is longer is followed by another.
pub(crate) const FILE_BYTES: u64 = 64 << 20;

const SPANS_OF_VERSION_1: u8 = 1;
const DROPPED: u8 = 2;
const SPANS: u8 = 3;

/// What the log says, in the order in which it was said.
#[derive(Debug)]
pub(crate) enum Record {
    /// Spans were kept.
    Spans { received: u64, spans: Vec<Packed> },
    /// Traces were dropped.
    Dropped(Vec<TraceId>),
}

/// What reading the log found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Spans that were read.
    pub(crate) spans: u64,
    /// Bytes at the ends of files that are no whole frame, and were cut off.
    pub(crate) torn: u64,
    /// Bytes elsewhere that are no whole frame, or a frame that makes no sense.
    pub(crate) damaged: u64,
}

/// The log of one store.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Files that are not written any more, by number.
    closed: Vec<u64>,
    current: Option<Current>,
    next: u64,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: Box<dyn DiskFile>,
    bytes: u64,
    dirty: bool,
}

/// A frame for spans received at that time, around their request. `None` if it is too long.
pub(crate) fn spans_frame(received: u64, request: &[u8], out: &mut Vec<u8>) -> Option<()> {
    frame::write(SPANS, &[&received.to_le_bytes(), request], out)
}

/// A frame that says that traces were dropped.
pub(crate) fn dropped_frame(traces: &[TraceId], out: &mut Vec<u8>) -> Option<()> {
    let ids: Vec<u8> = traces.iter().flat_map(|id| *id.as_bytes()).collect();
    frame::write(DROPPED, &[&ids], out)
}

impl Log {
    /// Reads the log in `folder`, record by record, and will go on in a new file. Files up to `sealed` are removed
    /// instead: what they say stands in segments.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        sealed: u64,
        mut replay: impl FnMut(Record),
    ) -> Result<(Self, Recovered), OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Disk { path, error }
        };
        disk.create_dir(&folder).map_err(failed(&folder))?;
        let names = disk.list(&folder).map_err(failed(&folder))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        let mut log = Self {
            disk,
            folder,
            closed: Vec::new(),
            current: None,
            next: numbers.last().map_or(1, |last| last + 1).max(sealed + 1),
        };
        let mut recovered = Recovered::default();
        for number in numbers {
            let path = log.path(number);
            if number <= sealed {
                log.disk.remove(&path).map_err(failed(&path))?;
                continue;
            }
            let file = log.disk.open(&path).map_err(failed(&path))?;
            let bytes = disk::read_all(&*file).map_err(failed(&path))?;
            let whole = read(&path, &bytes, &mut recovered, &mut replay)?;
            if whole < bytes.len() as u64 {
                file.truncate(whole).map_err(failed(&path))?;
            }
            log.closed.push(number);
        }
        Ok((log, recovered))
    }

    /// Writes frames behind all others.
    ///
    /// # Errors
    /// Nothing of it will be read again, unless even cutting it off failed.
    pub(crate) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        let current = match self.current.take() {
            Some(current) if current.bytes < FILE_BYTES => current,
            full => {
                if let Some(full) = full {
                    self.current = Some(full);
                    self.close()?;
                }
                self.create()?
            }
        };
        let current = self.current.insert(current);
        if let Err(error) = current.file.write_at(frames, current.bytes) {
            // the next append will not stand behind half a frame, whether or not the half can be cut off
            if let Some(broken) = self.current.take() {
                let cut = broken.file.truncate(broken.bytes);
                self.retire(&broken);
                cut.map_err(|_| error.kind())?;
            }
            return Err(error);
        }
        current.bytes += frames.len() as u64;
        current.dirty = true;
        Ok(())
    }

    /// Makes what was appended survive the loss of power.
    ///
    /// # Errors
    /// It may not. The next append begins a new file, because what the kernel could not write it may have forgotten.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(current) = self.current.as_mut().filter(|current| current.dirty) else {
            return Ok(());
        };
        let synced = current.file.sync();
        current.dirty = false;
        if synced.is_err()
            && let Some(broken) = self.current.take()
        {
            self.retire(&broken);
        }
        synced
    }

    /// Whether something was appended that [`sync`](Self::sync) has not made safe.
    pub(crate) fn is_dirty(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.dirty)
    }

    /// Removes the files up to this number.
    pub(crate) fn remove_through(&mut self, sealed: u64) -> io::Result<()> {
        while let Some(oldest) = self.closed.first().filter(|number| **number <= sealed) {
            self.disk.remove(&self.path(*oldest))?;
            self.closed.remove(0);
        }
        Ok(())
    }

    /// How long the current file is.
    pub(crate) fn current_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.bytes)
    }

    /// Ends the current file. Answers the number of the last one there is.
    pub(crate) fn close(&mut self) -> io::Result<u64> {
        self.sync()?;
        if let Some(full) = self.current.take() {
            self.retire(&full);
        }
        Ok(self.next - 1)
    }

    fn retire(&mut self, file: &Current) {
        self.closed.push(file.number);
    }

    fn create(&mut self) -> io::Result<Current> {
        let number = self.next;
        let file = self.disk.create(&self.path(number))?;
        self.next += 1;
        let current = Current {
            number,
            file,
            bytes: 0,
            dirty: false,
        };
        // without its name the file would be lost, however well it is written
        if let Err(error) = self.disk.sync_dir(&self.folder) {
            self.retire(&current);
            return Err(error);
        }
        Ok(current)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.log"))
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

/// Reads one file. Answers how many of its bytes are whole, up to the end of the last frame.
fn read(
    path: &Path,
    bytes: &[u8],
    recovered: &mut Recovered,
    replay: &mut impl FnMut(Record),
) -> Result<u64, OpenError> {
    let mut rest = bytes;
    loop {
        let length = match frame::next(rest) {
            Next::Frame {
                version,
                kind,
                payload,
            } => {
                if !frame::READABLE.contains(&version) {
                    let path = path.to_owned();
                    return Err(OpenError::Version { path, version });
                }
                match record(kind, payload) {
                    Some(record) => {
                        if let Record::Spans { spans, .. } = &record {
                            recovered.spans += spans.len() as u64;
                        }
                        replay(record);
                    }
                    None => recovered.damaged += payload.len() as u64,
                }
                frame::HEADER + payload.len()
            }
            Next::Damaged(length) => {
                recovered.damaged += length as u64;
                length
            }
            Next::Torn(length) => {
                recovered.torn += length as u64;
                return Ok((bytes.len() - length) as u64);
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn record(kind: u8, payload: &[u8]) -> Option<Record> {
    match kind {
        SPANS | SPANS_OF_VERSION_1 => {
            let (received, spans) = payload.split_first_chunk()?;
            Some(Record::Spans {
                received: u64::from_le_bytes(*received),
                spans: match kind {
                    SPANS => from_request(Bytes::copy_from_slice(spans))?,
                    _ => codec::decode(spans)?.iter().map(Packed::from).collect(),
                },
            })
        }
        DROPPED => {
            let ids = payload
                .chunks(16)
                .map(|id| TraceId::from_bytes(id.try_into().ok()?));
            Some(Record::Dropped(ids.collect::<Option<_>>()?))
        }
        _ => None,
    }
}
