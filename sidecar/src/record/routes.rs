//! Span names from a bounded set: the route template of a path, configured or learned, never the raw path.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// The most points at which learned routes may part or end. A path that would need one more has no route.
const NODES_MAX: usize = 512;

/// The most gRPC methods that are names.
const METHODS_MAX: usize = 256;

/// The most segments and bytes of a path that are looked at. A longer one has no route.
const SEGMENTS_MAX: usize = 16;
const PATH_BYTES_MAX: usize = 512;

/// So many different words in one place are no words of the route but someone's ids; fewer, if they hold digits.
const WORDS_MAX: usize = 48;
const NUMBERED_MAX: usize = 4;

/// What a segment stands for that is some thing's id.
const ID: &str = "{id}";

/// A route as the user wrote it: `/accounts/{id}`, optionally with its method: `GET /accounts/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    method: Option<String>,
    path: String,
}

/// A route template that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a route: write `/accounts/{{id}}` or `GET /accounts/{{id}}`, with `*` last for any rest"
)]
pub struct BadTemplate(String);

impl FromStr for Template {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        let bad = || BadTemplate(text.to_owned());
        let (method, path) = match text.trim().split_once(' ') {
            Some((method, path)) => (Some(method), path.trim()),
            None => (None, text.trim()),
        };
        let method_is_token =
            method.is_none_or(|method| method.bytes().all(|byte| byte.is_ascii_uppercase()));
        let in_segment = |segment: &str| {
            let named = segment.starts_with('{') && segment.ends_with('}') && segment.len() > 2;
            named || !segment.contains(['{', '}', '*', '?', '#', ' '])
        };
        let rest = path.strip_suffix("/*").unwrap_or(path);
        let path_fits = path.starts_with('/') && rest.split('/').all(in_segment);
        if !method_is_token || !path_fits || path.len() > PATH_BYTES_MAX {
            return Err(bad());
        }
        Ok(Self {
            method: method.map(str::to_owned),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

impl Template {
    /// `path` comes without its first slash.
    fn covers(&self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return false;
        }
        let mut segments = path.split('/');
        for own in self.path.split('/').skip(1) {
            match (own, segments.next()) {
                ("*", Some(_)) => return true,
                (own, Some(segment)) if own == segment => {}
                (own, Some(segment)) if own.starts_with('{') && !segment.is_empty() => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

/// The routes of one service.
#[derive(Debug)]
pub struct Routes {
    configured: Vec<Template>,
    /// The learned ones, as a tree of segments. The first node is the root.
    nodes: Vec<Node>,
    methods: HashSet<Box<str>>,
}

/// A place behind some segments.
#[derive(Debug, Default)]
struct Node {
    /// The way here.
    route: String,
    /// The words that have been seen here, and where they lead.
    words: Vec<(Box<[u8]>, usize)>,
    /// Of these, how many hold digits.
    numbered: usize,
    /// Words, and words with digits, are ids here: too many have been seen.
    many: bool,
    many_numbered: bool,
    /// Where an id leads.
    id: Option<usize>,
    /// A route ends here.
    ends: bool,
}

impl Routes {
    /// Those `configured` come first, in order; every other path's is learned.
    pub fn new(configured: Vec<Template>) -> Self {
        let nodes = vec![Node::default()];
        Self {
            configured,
            nodes,
            methods: HashSet::new(),
        }
    }

    /// From now on these are configured. What was learned stays.
    pub fn configure(&mut self, configured: Vec<Template>) {
        self.configured = configured;
    }

    /// The route of a path (without its query), or `None` if it is to have none.
    ///
    /// A new one is learned only from a request that `succeeded`: scanners ask for thousands of paths that are not
    /// there.
    pub fn of(&mut self, method: &str, path: &[u8], succeeded: bool) -> Option<&str> {
        let path = path
            .strip_prefix(b"/")
            .filter(|path| path.len() < PATH_BYTES_MAX)?;
        let full = |template: &Template| str::from_utf8(path).is_ok_and(|path| template.covers(method, path));
        if let Some(at) = self.configured.iter().position(full) {
            return self.configured.get(at).map(|template| template.path.as_str());
        }
        let (mut at, mut rest) = (0, Some(path));
        for _ in 0..SEGMENTS_MAX {
            let Some(path) = rest else { break };
            let segment = Segment::first(path);
            at = self.step(at, segment, succeeded)?;
            rest = path.get(segment.bytes.len() + 1..);
        }
        if rest.is_some() {
            return None;
        }
        let node = self.nodes.get_mut(at)?;
        node.ends |= succeeded;
        node.ends.then_some(&node.route)
    }

    /// The gRPC method `package.Service/Method`, or `None` if there are too many to be names. Learned as paths are.
    pub fn of_grpc(&mut self, method: &[u8], succeeded: bool) -> Option<&str> {
        let method = str::from_utf8(method)
            .ok()
            .filter(|method| method.len() <= PATH_BYTES_MAX)?;
        if !self.methods.contains(method) {
            if !succeeded || self.methods.len() >= METHODS_MAX {
                return None;
            }
            self.methods.insert(method.into());
        }
        self.methods.get(method).map(|method| &**method)
    }

    /// Goes on from a node by a segment, to the node behind it.
    fn step(&mut self, at: usize, segment: Segment<'_>, learn: bool) -> Option<usize> {
        let new = self.nodes.len();
        let may_learn = learn && new < NODES_MAX;
        let node = self.nodes.get_mut(at)?;
        let looks = segment.looks();
        if !node.takes_for_id(looks) {
            // few words stand in one place: looking through them is quicker than hashing
            if let Some((_, next)) = node.words.iter().find(|(word, _)| **word == *segment.bytes) {
                return Some(*next);
            }
            let name = str::from_utf8(segment.bytes).ok().filter(|_| may_learn)?;
            if node.admit(name, looks, new) {
                let behind = node.behind(name);
                self.nodes.push(behind);
                return Some(new);
            }
        }
        let next = match node.id {
            Some(next) => next,
            None if may_learn => *node.id.insert(new),
            None => return None,
        };
        if next == new {
            let behind = node.behind(ID);
            self.nodes.push(behind);
        }
        Some(next)
    }
}

impl Node {
    /// The place behind a segment of that name.
    fn behind(&self, name: &str) -> Self {
        Self {
            route: format!("{}/{name}", self.route),
            ..Self::default()
        }
    }

    /// Whether a segment that looks like this names one thing among many here.
    fn takes_for_id(&self, looks: Looks) -> bool {
        match looks {
            Looks::Word => self.many,
            Looks::Numbered => self.many_numbered,
            Looks::Id => true,
        }
    }

    /// Takes a new word that leads to the node `next`, unless it is one too many; from then on they are ids.
    fn admit(&mut self, word: &str, looks: Looks, next: usize) -> bool {
        let numbered = looks != Looks::Word;
        let (count, most, many) = match numbered {
            true => (self.numbered, NUMBERED_MAX, &mut self.many_numbered),
            false => (self.words.len() - self.numbered, WORDS_MAX, &mut self.many),
        };
        *many = count >= most;
        if !*many {
            self.numbered += usize::from(numbered);
            self.words.push((word.as_bytes().into(), next));
        }
        !*many
    }
}

/// What stands between two slashes of a path.
#[derive(Clone, Copy)]
struct Segment<'p> {
    bytes: &'p [u8],
    /// How many of them are digits.
    digits: usize,
}

/// What a segment may be, by its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// A word: how many there are in its place decides.
    Word,
    /// An id or a word: `c4`, but also `v2` and `oauth2`. Fewer in a place decide.
    Numbered,
    /// An id wherever it stands: a number, a UUID, a hash, a token.
    Id,
}

impl<'p> Segment<'p> {
    /// The one that a path begins with.
    fn first(path: &'p [u8]) -> Self {
        let (mut length, mut digits) = (0, 0);
        // segments are short: one plain look at each byte is quicker than a search
        for byte in path {
            if *byte == b'/' {
                break;
            }
            length += 1;
            digits += usize::from(byte.is_ascii_digit());
        }
        let bytes = path.get(..length).unwrap_or_default();
        Self { bytes, digits }
    }

    fn looks(self) -> Looks {
        let Self { bytes, digits } = self;
        let length = bytes.len();
        let hex = || bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
        let id = match digits {
            0 => length > 40,
            _ if digits == length || (length >= 8 && hex()) => true,
            // `order-1234`, `ord_0a1b2c`, and base64 of anything
            _ => digits >= 3 || length > 24,
        };
        match digits {
            _ if id => Looks::Id,
            0 => Looks::Word,
            _ => Looks::Numbered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Option<String> {
        Routes::new(Vec::new())
            .of("GET", path.as_bytes(), true)
            .map(str::to_owned)
    }

    #[test]
    fn ids_become_placeholders_and_words_stay() {
        for (path, expected) in [
            ("/", "/"),
            ("/accounts/17/deposit", "/accounts/{id}/deposit"),
            ("/api/v2/users", "/api/v2/users"),
            ("/u/7c9e6679-7425-40de-944b-e07fc1f90ae7", "/u/{id}"),
            ("/c/deadbeef01", "/c/{id}"),
            ("/orders/order-1234", "/orders/{id}"),
            ("/static/app.js", "/static/app.js"),
            ("/feedface", "/feedface"),
        ] {
            assert_eq!(route(path).as_deref(), Some(expected));
        }
    }

    #[test]
    fn many_words_in_one_place_are_ids_and_a_few_are_words() {
        let mut routes = Routes::new(Vec::new());
        for version in ["v1", "v2"] {
            assert_eq!(
                routes.of("GET", format!("/{version}/users").as_bytes(), true),
                Some(&*format!("/{version}/users"))
            );
        }
        for customer in 0..20 {
            routes.of("GET", format!("/customers/c{customer}").as_bytes(), true);
        }
        assert_eq!(routes.of("GET", b"/customers/c3", true), Some("/customers/{id}"));
        assert_eq!(routes.of("GET", b"/customers/new", true), Some("/customers/new"));
        assert_eq!(routes.of("GET", b"/v2/users", true), Some("/v2/users"));
    }

    #[test]
    fn the_set_of_names_is_bounded() {
        let mut routes = Routes::new(Vec::new());
        let letter = |n: u32, place: u32| char::from(b'a' + ((n / 26_u32.pow(place)) % 26) as u8);
        let named: HashSet<_> = (0..10_000)
            .flat_map(|n| {
                let word: String = (0..3).map(|place| letter(n, place)).collect();
                let paths = [
                    format!("/{word}"),
                    format!("/{word}/{word}/{word}"),
                    format!("/{n}/{word}"),
                ];
                paths.map(|path| routes.of("GET", path.as_bytes(), true).map(str::to_owned))
            })
            .flatten()
            .collect();
        assert!(named.len() <= NODES_MAX, "{}", named.len());
        assert!(routes.nodes.len() <= NODES_MAX);
        let methods = (0..10_000).filter(|n| routes.of_grpc(format!("s/{n}").as_bytes(), true).is_some());
        assert_eq!(methods.count(), METHODS_MAX);
    }

    #[test]
    fn a_path_that_was_not_found_is_not_learned_but_a_known_route_is_named() {
        let mut routes = Routes::new(Vec::new());
        assert_eq!(routes.of("GET", b"/wp-admin", false), None);
        assert!(routes.of("GET", b"/accounts/1", true).is_some());
        assert_eq!(routes.of("GET", b"/accounts/2", false), Some("/accounts/{id}"));
    }

    #[test]
    fn configured_routes_win_in_their_order() {
        let templates = ["GET /users/me", "/users/{name}", "/files/*"].map(|text| text.parse().unwrap());
        let mut routes = Routes::new(templates.to_vec());
        assert_eq!(routes.of("GET", b"/users/me", true), Some("/users/me"));
        assert_eq!(routes.of("PUT", b"/users/me", true), Some("/users/{name}"));
        assert_eq!(routes.of("GET", b"/users/ann", true), Some("/users/{name}"));
        assert_eq!(routes.of("GET", b"/files/a/b/c", true), Some("/files/*"));
        assert_eq!(routes.of("GET", b"/users/", true), Some("/users/"));
    }

    #[test]
    fn what_is_no_path_has_no_route() {
        assert_eq!(route("*"), None);
        assert_eq!(route("example.com:443"), None);
        assert_eq!(route(&format!("/{}", "a/".repeat(40))), None);
        assert_eq!(route(&format!("/{}", "a".repeat(1000))), None);
        assert_eq!(Routes::new(Vec::new()).of("GET", b"/\xff", true), None);
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for text in ["accounts", "get /a", "/a/{", "/a/{}", "/a?b=1", "/*/a"] {
            assert_eq!(text.parse::<Template>(), Err(BadTemplate(text.to_owned())));
        }
    }
}
