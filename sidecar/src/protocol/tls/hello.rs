//! ClientHello and ServerHello (RFC 8446, sections 4.1.2 and 4.1.3; RFC 5246, section 7.4.1), as far as we read them.
//!
//! A hello that could not be valid is no hello. Within a valid one, what we do not know is passed over: extensions,
//! kinds of names, versions and the values that clients make up so that servers keep passing over them (GREASE,
//! RFC 8701).

/// ALPN protocols that are kept of a hello; the others are passed over.
pub const MOST_ALPN: usize = 16;
/// Bytes of a server name or of an ALPN protocol; longer ones are passed over. DNS and RFC 7301 allow no more.
const LONGEST_NAME: usize = 255;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0
    Tls10,
    /// TLS 1.1
    Tls11,
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

impl TlsVersion {
    /// As `tls.protocol.version` names it: `1.2`.
    pub fn name(self) -> &'static str {
        match self {
            TlsVersion::Tls10 => "1.0",
            TlsVersion::Tls11 => "1.1",
            TlsVersion::Tls12 => "1.2",
            TlsVersion::Tls13 => "1.3",
        }
    }

    fn from_wire(number: u16) -> Option<TlsVersion> {
        match number {
            0x0301 => Some(TlsVersion::Tls10),
            0x0302 => Some(TlsVersion::Tls11),
            0x0303 => Some(TlsVersion::Tls12),
            0x0304 => Some(TlsVersion::Tls13),
            _ => None,
        }
    }
}

/// A handshake message that begins a connection.
pub trait Hello: Sized {
    /// Its handshake type.
    const TYPE: u8;

    /// Reads the body of the message, or `None` if it is not what its type says.
    fn parse(body: &[u8]) -> Option<Self>;
}

/// What a client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server that it wants to reach (SNI, RFC 6066, section 3), as sent, 1 to 255 printable ASCII characters. With
    /// Encrypted ClientHello this is the name that is public, not the one that is meant.
    pub server_name: Option<String>,
    /// The application protocols that it speaks (RFC 7301), its favourite first, at most [`MOST_ALPN`]. Those whose
    /// names are not printable ASCII are left out.
    pub alpn: Vec<String>,
    /// The versions that it speaks, in its order, each once. A client that does not list them says only which is its
    /// latest; then that one stands alone here.
    pub versions: Vec<TlsVersion>,
}

/// What a server has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version of the connection, if it is one that we know.
    pub version: Option<TlsVersion>,
    /// The application protocol of the connection. In TLS 1.3 it is encrypted, so always `None` there: what the client
    /// offers is all that can be seen.
    pub alpn: Option<String>,
}

impl Hello for ClientHello {
    const TYPE: u8 = 1;

    fn parse(body: &[u8]) -> Option<ClientHello> {
        let mut input = Input(body);
        let latest = input.u16()?;
        let _random = input.take(32)?;
        let _session_id = input.vec8()?;
        let _cipher_suites = input.vec16()?;
        let _compression_methods = input.vec8()?;

        let mut hello = ClientHello::default();
        let mut listed = None;
        for (kind, data) in input.extensions()? {
            match kind {
                SERVER_NAME => hello.server_name = server_name(data)?,
                ALPN => hello.alpn = alpn(data)?,
                SUPPORTED_VERSIONS => listed = Some(versions(Input(data).vec8()?)?),
                _ => {}
            }
        }
        hello.versions = listed.unwrap_or_else(|| TlsVersion::from_wire(latest).into_iter().collect());
        Some(hello)
    }
}

impl Hello for ServerHello {
    const TYPE: u8 = 2;

    fn parse(body: &[u8]) -> Option<ServerHello> {
        let mut input = Input(body);
        let mut version = input.u16()?;
        let _random = input.take(32)?;
        let _session_id = input.vec8()?;
        let _cipher_suite = input.u16()?;
        let _compression_method = input.u8()?;

        let mut chosen = None;
        for (kind, data) in input.extensions()? {
            match kind {
                ALPN => chosen = alpn(data)?.into_iter().next(),
                SUPPORTED_VERSIONS => version = Input(data).u16()?,
                _ => {}
            }
        }
        Some(ServerHello {
            version: TlsVersion::from_wire(version),
            alpn: chosen,
        })
    }
}

/// The first host name of a server name list.
fn server_name(data: &[u8]) -> Option<Option<String>> {
    const HOST_NAME: u8 = 0;
    let mut names = Input(Input(data).vec16()?);
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = names.vec16()?;
        if kind == HOST_NAME {
            return Some(text(name));
        }
    }
    Some(None)
}

fn alpn(data: &[u8]) -> Option<Vec<String>> {
    let mut list = Input(Input(data).vec16()?);
    let mut protocols = Vec::new();
    while !list.is_empty() {
        let name = list.vec8()?;
        if protocols.len() < MOST_ALPN && !is_grease(name) {
            protocols.extend(text(name));
        }
    }
    Some(protocols)
}

fn versions(list: &[u8]) -> Option<Vec<TlsVersion>> {
    let mut list = Input(list);
    let mut versions = Vec::new();
    while !list.is_empty() {
        let version = TlsVersion::from_wire(list.u16()?);
        versions.extend(version.filter(|version| !versions.contains(version)));
    }
    Some(versions)
}

/// One of the two-byte values 0x0A0A, 0x1A1A … 0xFAFA. Some of them are printable.
fn is_grease(name: &[u8]) -> bool {
    matches!(name, [first, second] if first == second && first & 0x0f == 0x0a)
}

fn text(name: &[u8]) -> Option<String> {
    let printable = (1..=LONGEST_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    printable.then(|| String::from_utf8_lossy(name).into_owned())
}

/// Bytes that are read from the front. Every read is checked; a failed one ends the reading.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    /// A vector whose length comes first, in one byte.
    fn vec8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?.into();
        self.take(length)
    }

    /// A vector whose length comes first, in two bytes.
    fn vec16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?.into();
        self.take(length)
    }

    /// What is left, as extensions: their types and contents. None at all is fine before TLS 1.3.
    fn extensions(mut self) -> Option<Vec<(u16, &'a [u8])>> {
        let mut list = Input(if self.is_empty() { &[] } else { self.vec16()? });
        let mut extensions = Vec::new();
        while !list.is_empty() {
            extensions.push((list.u16()?, list.vec16()?));
        }
        Some(extensions)
    }
}
