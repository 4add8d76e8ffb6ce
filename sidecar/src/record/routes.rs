//! Span names from a bounded set: the route template of a path, configured or learned, never the raw path.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// The most templates that are learned. A path that would need one more has no route.
const LEARNED_MAX: usize = 256;

/// The most segments and bytes of a path that are looked at. A longer one has no route.
const SEGMENTS_MAX: usize = 16;
const PATH_BYTES_MAX: usize = 512;

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
    fn covers(&self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return false;
        }
        let mut segments = path.split('/');
        for own in self.path.split('/') {
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
    learned: HashSet<Box<str>>,
    scratch: String,
}

impl Routes {
    /// Those `configured` come first, in order; every other path's is learned.
    pub fn new(configured: Vec<Template>) -> Self {
        Self {
            configured,
            learned: HashSet::new(),
            scratch: String::new(),
        }
    }

    /// The route of a path (without its query), or `None` if it is to have none.
    ///
    /// A new one is learned only from a request that `succeeded`: scanners ask for thousands of paths that are not
    /// there.
    pub fn of(&mut self, method: &str, path: &[u8], succeeded: bool) -> Option<&str> {
        let path = str::from_utf8(path.get(..PATH_BYTES_MAX).map_or(path, |_| b"")).ok()?;
        if !path.starts_with('/') {
            return None;
        }
        if let Some(at) = self
            .configured
            .iter()
            .position(|template| template.covers(method, path))
        {
            return self.configured.get(at).map(|template| template.path.as_str());
        }
        self.scratch.clear();
        for (number, segment) in path.split('/').skip(1).enumerate() {
            if number == SEGMENTS_MAX {
                return None;
            }
            self.scratch.push('/');
            self.scratch.push_str(if is_id(segment) { ID } else { segment });
        }
        self.known(succeeded).then_some(&self.scratch)
    }

    /// The gRPC method `package.Service/Method`, or `None` if there are too many to be names.
    pub fn of_grpc(&mut self, method: &[u8], succeeded: bool) -> Option<&str> {
        let method = str::from_utf8(method.get(..PATH_BYTES_MAX).map_or(method, |_| b"")).ok()?;
        self.scratch.clear();
        self.scratch.push_str(method);
        self.known(succeeded).then_some(&self.scratch)
    }

    /// Whether what stands in `scratch` is known, or may be learned now.
    fn known(&mut self, learn: bool) -> bool {
        if self.learned.contains(self.scratch.as_str()) {
            return true;
        }
        let learn = learn && self.learned.len() < LEARNED_MAX;
        if learn {
            self.learned.insert(self.scratch.as_str().into());
        }
        learn
    }
}

/// Whether a segment names one thing among many: a number, a UUID, a hash, a token.
///
/// A word stays as it is. So does a version (`v2`): a letter or two and few digits.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let hex = segment
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let length = segment.len();
    match digits {
        0 => length > 40,
        _ if digits == length => true,
        _ if hex && length >= 8 => true,
        // `order-1234`, `ord_0a1b2c`, and base64 of anything
        _ => digits >= 3 || length > 24,
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
    fn the_set_of_names_is_bounded() {
        let mut routes = Routes::new(Vec::new());
        let named = (0..10_000)
            .map(|n| {
                (0..3)
                    .map(|digit| char::from(b'a' + ((n / 26_u32.pow(digit)) % 26) as u8))
                    .collect::<String>()
            })
            .filter(|word| routes.of("GET", format!("/{word}").as_bytes(), true).is_some())
            .collect::<HashSet<_>>();
        assert_eq!(named.len(), LEARNED_MAX);
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
