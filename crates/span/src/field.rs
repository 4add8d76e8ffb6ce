/// One header field as it stands on the wire: the name in any case, the value without surrounding white space.
///
/// Both are raw bytes, because neither HTTP/1 nor HPACK promises text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field's name, as sent (HTTP/2 sends it in lower case, HTTP/1 in any).
    pub name: &'a [u8],
    /// The field's value.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// A field from anything that is bytes.
    pub fn new(name: &'a (impl AsRef<[u8]> + ?Sized), value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            name: name.as_ref(),
            value: value.as_ref(),
        }
    }

    /// Whether this field has the given name, whatever the case (RFC 9110, section 5.1).
    #[inline]
    pub fn is(&self, name: &str) -> bool {
        // nearly everyone writes names in lower case, and must in HTTP/2
        self.name == name.as_bytes() || self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}
