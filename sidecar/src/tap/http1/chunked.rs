//! Where a chunked body ends (RFC 9112, section 7.1). Only watched: the bytes themselves pass as they are.

/// How far a body has been followed in one piece of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes of the input that belong to the body, its framing included.
    pub consumed: usize,
    /// Bytes among them that are content.
    pub content: u64,
    /// The body is complete.
    pub done: bool,
}

/// The framing is not what the RFC allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a chunk's size; whether a digit has been seen.
    Size { some: bool },
    /// Behind the size, up to the end of its line.
    Extension,
    /// A carriage return was seen in the size line.
    SizeEnd,
    /// In the chunk's content.
    Data,
    /// Behind the content.
    DataEnd,
    /// Behind the carriage return behind the content.
    DataEndLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    /// In a trailer line.
    Trailer,
    /// Behind the carriage return of the empty line.
    End,
}

/// A chunked body that is being followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    state: State,
    /// Of the size while it is read; of the content that is still to come afterwards.
    left: u64,
}

impl Chunked {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Size { some: false },
            left: 0,
        }
    }

    /// Follows the body through `input`, which begins where the last piece ended.
    pub(super) fn advance(&mut self, input: &[u8]) -> Result<Progress, Malformed> {
        let mut rest = input;
        let mut content = 0;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Data {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                content += here as u64;
                self.left -= here as u64;
                rest = rest.get(here..).unwrap_or_default();
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
                continue;
            }
            rest = after;
            self.state = match (self.state, byte) {
                (State::Size { .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    let digit = char::from(byte).to_digit(16).unwrap_or_default();
                    let shifted = self.left.checked_mul(16).ok_or(Malformed)?;
                    self.left = shifted | u64::from(digit);
                    State::Size { some: true }
                }
                (State::Size { some: true }, b';' | b' ' | b'\t') => State::Extension,
                (State::Size { some: true }, b'\r') => State::SizeEnd,
                (State::Extension, b'\r') => State::SizeEnd,
                (State::Extension, b'\n') => return Err(Malformed),
                (State::Extension, _) => State::Extension,
                (State::SizeEnd, b'\n') if self.left == 0 => State::TrailerStart,
                (State::SizeEnd, b'\n') => State::Data,
                (State::DataEnd, b'\r') => State::DataEndLf,
                (State::DataEndLf, b'\n') => State::Size { some: false },
                (State::TrailerStart, b'\r') => State::End,
                (State::TrailerStart, b'\n') | (State::End, b'\n') => {
                    return Ok(Progress {
                        consumed: input.len() - rest.len(),
                        content,
                        done: true,
                    });
                }
                (State::Trailer, b'\n') => State::TrailerStart,
                (State::TrailerStart | State::Trailer, _) => State::Trailer,
                _ => return Err(Malformed),
            };
        }
        Ok(Progress {
            consumed: input.len(),
            content,
            done: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(input: &[u8]) -> Result<Progress, Malformed> {
        Chunked::new().advance(input)
    }

    #[test]
    fn a_body_ends_behind_its_last_line_and_what_follows_is_left() {
        let progress = whole(b"5\r\nhello\r\n0\r\n\r\nGET /").unwrap();
        assert_eq!(
            progress,
            Progress {
                consumed: 15,
                content: 5,
                done: true
            }
        );
    }

    #[test]
    fn extensions_and_trailers_are_part_of_it() {
        let body = b"5;name=\"a b\"\r\nhello\r\n00\r\nDigest: x\r\nOther: y\r\n\r\n";
        assert_eq!(
            whole(body).unwrap(),
            Progress {
                consumed: body.len(),
                content: 5,
                done: true
            }
        );
    }

    #[test]
    fn it_does_not_matter_where_the_pieces_are_cut() {
        let body = b"a\r\n0123456789\r\nF;x\r\n0123456789abcde\r\n0\r\nT: 1\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunked = Chunked::new();
            let first = chunked.advance(&body[..cut]).unwrap();
            assert!(!first.done && first.consumed == cut);
            let second = chunked.advance(&body[cut..]).unwrap();
            assert!(second.done);
            assert_eq!(first.content + second.content, 25);
        }
    }

    #[test]
    fn what_is_no_chunk_is_malformed() {
        for body in [
            b"\r\n".as_slice(),
            b"x\r\n",
            b"-1\r\n",
            b"5\nhello",
            b"2\r\nabc\r\n",
            b"11111111111111111\r\n",
        ] {
            assert_eq!(whole(body), Err(Malformed), "{:?}", String::from_utf8_lossy(body));
        }
    }
}
