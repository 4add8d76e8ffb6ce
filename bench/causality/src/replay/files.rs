//! Finding and opening files of traces.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{Span, json, protobuf};

/// A file that is none of what can be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; name files or folders of traces, as JSON of Jaeger or OTLP, or as an OTLP request", .file.display())]
pub struct Unreadable {
    file: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Protobuf(#[from] otlp::receive::BadRequest),
}

/// What stood in files.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The spans.
    pub spans: Vec<Span>,
    /// How many things looked like spans, but had no identifiers or no times.
    pub unreadable: usize,
}

impl Found {
    pub(super) fn add(&mut self, span: Option<Span>) {
        self.unreadable += usize::from(span.is_none());
        self.spans.extend(span);
    }
}

/// All spans of these files, and of all files in these folders, in the order of their names. A file is JSON of Jaeger or
/// of OTLP, one document or many, or an OTLP export request in protobuf; each may be compressed with gzip.
///
/// `seen` is told of every file before it is read.
pub fn read(paths: &[PathBuf], mut seen: impl FnMut(&Path)) -> Result<Found, Unreadable> {
    let mut files = Vec::new();
    for path in paths {
        find(path, &mut files)?;
    }
    let mut found = Found::default();
    for file in files {
        seen(&file);
        add(&mut found, &file).map_err(|why| Unreadable { file, why })?;
    }
    Ok(found)
}

fn add(found: &mut Found, file: &Path) -> Result<(), Why> {
    let bytes = open(file)?;
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {}
        Some(b'{' | b'[') => json::add(found, &bytes)?,
        Some(_) => protobuf::add(&mut found.spans, bytes)?,
    }
    Ok(())
}

/// The files at a path: itself, or all below that do not begin with a dot.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let listed = path.read_dir().and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<PathBuf>>>()
    });
    let mut paths = listed.map_err(|error| Unreadable {
        file: path.to_owned(),
        why: error.into(),
    })?;
    paths.retain(|path| {
        path.file_name()
            .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
    });
    paths.sort();
    paths.iter().try_for_each(|path| find(path, files))
}

fn open(file: &Path) -> io::Result<Vec<u8>> {
    let bytes = std::fs::read(file)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
    Ok(plain)
}
