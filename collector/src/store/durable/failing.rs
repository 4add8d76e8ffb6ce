//! A disk for tests: the real one, in a folder that goes away with it, of which the n-th call fails.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{Disk, DiskFile, Os};

/// The real disk until its calls are used up.
#[derive(Debug)]
pub(super) struct Failing {
    folder: tempfile::TempDir,
    calls: Arc<Calls>,
}

/// How many calls there were, and which of them fail.
#[derive(Debug)]
struct Calls {
    made: AtomicU64,
    fails_from: AtomicU64,
    fails_until: AtomicU64,
}

impl Calls {
    fn make(&self) -> io::Result<()> {
        let call = self.made.fetch_add(1, Ordering::SeqCst);
        let failing = self.fails_from.load(Ordering::SeqCst)..self.fails_until.load(Ordering::SeqCst);
        match failing.contains(&call) {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => Ok(()),
        }
    }
}

impl Failing {
    pub(super) fn new() -> Arc<Self> {
        let calls = Calls {
            made: AtomicU64::new(0),
            fails_from: AtomicU64::new(u64::MAX),
            fails_until: AtomicU64::new(u64::MAX),
        };
        Arc::new(Self {
            folder: tempfile::tempdir().unwrap(),
            calls: Arc::new(calls),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many calls there were.
    pub(super) fn made(&self) -> u64 {
        self.calls.made.load(Ordering::SeqCst)
    }

    /// From now on, lets `after` calls pass and the `count` behind them fail.
    pub(super) fn fail(&self, after: u64, count: u64) {
        let from = self.made() + after;
        self.calls.fails_from.store(from, Ordering::SeqCst);
        self.calls
            .fails_until
            .store(from.saturating_add(count), Ordering::SeqCst);
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FailingFile(file, Arc::clone(&self.calls)))
    }
}

impl Disk for Failing {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.calls.make().and_then(|()| Os.create_dir(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.calls.make().and_then(|()| Os.list(folder))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.calls.make()?;
        Ok(self.file(Os.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.calls.make()?;
        Ok(self.file(Os.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.calls.make().and_then(|()| Os.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.calls.make().and_then(|()| Os.remove(path))
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.calls.make().and_then(|()| Os.sync_dir(folder))
    }
}

#[derive(Debug)]
struct FailingFile(Box<dyn DiskFile>, Arc<Calls>);

impl DiskFile for FailingFile {
    /// A write that fails has written half.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.1.make() {
            self.0.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        self.0.write_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.make().and_then(|()| self.0.read_at(buffer, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.1.make().and_then(|()| self.0.sync())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.1.make().and_then(|()| self.0.truncate(length))
    }

    fn length(&self) -> io::Result<u64> {
        self.1.make().and_then(|()| self.0.length())
    }
}
