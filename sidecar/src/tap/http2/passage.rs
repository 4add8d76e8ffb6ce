//! The way of one input to the other side: untouched for as long as nothing is edited, copied from then on.

use super::super::Passed;

/// An input on its way. All of it passes as it is, except for what is replaced.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    input: &'a [u8],
    /// How far it has been looked at.
    at: usize,
    /// How far `out` stands for it, once something was edited.
    copied: usize,
    edited: bool,
    out: &'a mut Vec<u8>,
}

impl<'a> Passage<'a> {
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self {
            input,
            at: 0,
            copied: 0,
            edited: false,
            out,
        }
    }

    /// What has not been looked at yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// The next `length` bytes pass as they are.
    pub(super) fn pass(&mut self, length: usize) {
        self.at += length;
    }

    /// Instead of the next `length` bytes goes what the caller appends.
    pub(super) fn replace(&mut self, length: usize) -> &mut Vec<u8> {
        self.out
            .extend_from_slice(self.input.get(self.copied..self.at).unwrap_or_default());
        self.at += length;
        self.copied = self.at;
        self.edited = true;
        self.out
    }

    /// The next bytes pass, and are what is expected as far as they go. Returns what is then still expected.
    pub(super) fn expect<'e>(&mut self, expected: &'e [u8]) -> Option<&'e [u8]> {
        let rest = self.rest();
        let (now, later) = expected.split_at_checked(rest.len()).unwrap_or((expected, &[]));
        self.pass(now.len());
        rest.starts_with(now).then_some(later)
    }

    /// Whatever is left passes as it is.
    pub(super) fn finish(self) -> Passed {
        if self.edited {
            self.out
                .extend_from_slice(self.input.get(self.copied..).unwrap_or_default());
            Passed::Edited
        } else {
            Passed::AsIs
        }
    }
}
