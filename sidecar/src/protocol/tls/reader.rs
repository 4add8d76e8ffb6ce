//! From a stream of TLS records (RFC 8446, section 5.1) to the first handshake message in it.

use std::marker::PhantomData;

use super::hello::Hello;

/// Bytes of a hello, as a handshake message, up to which it is read. Real ones have a few hundred, with post-quantum
/// keys some two thousand.
pub const LONGEST_HELLO: usize = 16 * 1024;

const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// The content type of records that carry handshake messages.
const HANDSHAKE: u8 = 22;
/// The most that a record holds in the clear.
const LONGEST_RECORD: usize = 1 << 14;

/// Where the reading of a hello stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<H> {
    /// The hello has not passed completely.
    More,
    /// This is it. Told once.
    Hello(H),
    /// There is none to be read: something else came, or it is longer than [`LONGEST_HELLO`], or it was told already.
    None,
}

/// Reads the hello that one end of a connection begins with: [`ClientHello`](super::ClientHello) or
/// [`ServerHello`](super::ServerHello). Keeps at most [`LONGEST_HELLO`] bytes, and none once it has answered.
#[derive(Debug)]
pub struct HelloReader<H> {
    /// Of the current record: its header, as far as it has come.
    header: Vec<u8>,
    /// Of the current record: bytes of its content that are still to come.
    content_left: usize,
    /// The handshake message, as far as it has come. It may go over several records.
    message: Vec<u8>,
    answered: bool,
    hello: PhantomData<fn() -> H>,
}

impl<H> Default for HelloReader<H> {
    fn default() -> Self {
        HelloReader {
            header: Vec::new(),
            content_left: 0,
            message: Vec::new(),
            answered: false,
            hello: PhantomData,
        }
    }
}

impl<H: Hello> HelloReader<H> {
    /// Shows it the next bytes of the connection, as many as there are.
    pub fn read(&mut self, bytes: &[u8]) -> Reading<H> {
        if self.answered {
            return Reading::None;
        }
        let reading = self.advance(bytes).unwrap_or(Reading::None);
        if !matches!(reading, Reading::More) {
            *self = HelloReader {
                answered: true,
                ..HelloReader::default()
            };
        }
        reading
    }

    /// `None` where something else came.
    fn advance(&mut self, mut bytes: &[u8]) -> Option<Reading<H>> {
        while !bytes.is_empty() {
            if self.content_left == 0 {
                bytes = fill(&mut self.header, RECORD_HEADER, bytes);
                self.begin_record()?;
            } else {
                let (content, rest) = bytes.split_at(self.content_left.min(bytes.len()));
                bytes = rest;
                self.content_left = self.content_left.saturating_sub(content.len());
                fill(&mut self.message, LONGEST_HELLO, content);
                if let Some(body) = self.whole_message()? {
                    return H::parse(body).map(Reading::Hello);
                }
            }
        }
        Some(Reading::More)
    }

    /// Turns the header to the content behind it, once it is whole.
    fn begin_record(&mut self) -> Option<()> {
        match *self.header {
            [HANDSHAKE, 3, _, high, low] => {
                self.content_left = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
                (1..=LONGEST_RECORD).contains(&self.content_left).then_some(())
            }
            _ => (self.header.len() < RECORD_HEADER).then_some(()),
        }
    }

    /// The body of the handshake message, once it is whole.
    fn whole_message(&self) -> Option<Option<&[u8]>> {
        match *self.message {
            [kind, ..] if kind != H::TYPE => None,
            [_, high, middle, low, ref body @ ..] => {
                let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
                (length <= LONGEST_HELLO - MESSAGE_HEADER).then(|| body.get(..length))
            }
            _ => Some(None),
        }
    }
}

/// Moves bytes to the end of `buffer` until that has `size` of them, and returns the others.
fn fill<'a>(buffer: &mut Vec<u8>, size: usize, bytes: &'a [u8]) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(size.saturating_sub(buffer.len()).min(bytes.len()));
    buffer.extend_from_slice(taken);
    rest
}
