//! The pages of `ui/`, served from the program itself beside the API.
//!
//! Whatever is not the API's is a page: the browser's own routing knows which, so that every deep link is answered with
//! the same document. Nothing here reads a disk or knows what the pages show.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

/// One file of the pages, as the build left it.
struct Page {
    /// Below the root, without a leading slash.
    path: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

/// All of them; none if they were not built before this program was.
const PAGES: &[Page] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The document that every deep link is answered with.
const DOCUMENT: &str = "index.html";
/// Where the build puts files whose names change with their content.
const HASHED: &str = "assets/";

/// For how long what may be kept: files under [`HASHED`] for good, everything else only after asking again.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Nothing from elsewhere, nothing inline, and nobody may frame it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "The pages were not built into this collector.\n\n\
    Build them and then the collector again, in the folder of the sources:\n\n    make ui\n    cargo build -p meshtrace-collector\n\n\
    The API is there all the same: /api/services\n";

/// `api` where the path begins with `/api`, a page everywhere else.
pub fn beside(api: Router) -> Router {
    api.layer(from_fn(page))
}

async fn page(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return next.run(request).await;
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    respond(PAGES, path, request.headers())
}

fn respond(pages: &[Page], path: &str, headers: &HeaderMap) -> Response {
    if pages.is_empty() {
        return (
            StatusCode::NOT_FOUND,
            guarded("text/plain; charset=utf-8", ASK_AGAIN),
            NOT_BUILT,
        )
            .into_response();
    }
    let path = path.trim_start_matches('/');
    let named = |name: &str| pages.iter().find(|page| page.path == name);
    let Some(page) = named(path).or_else(|| named(DOCUMENT).filter(|_| !path.starts_with(HASHED))) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let tag = tag(page.plain);
    let mut response = if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == tag)
    {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes_gzip(headers) {
        ([(header::CONTENT_ENCODING, "gzip")], page.gzip).into_response()
    } else {
        page.plain.into_response()
    };
    let kept = if page.path.starts_with(HASHED) {
        FOR_GOOD
    } else {
        ASK_AGAIN
    };
    for (name, value) in guarded(content_type(page.path), kept) {
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert(header::ETAG, tag);
    response
}

fn guarded(content_type: &'static str, kept: &'static str) -> [(HeaderName, HeaderValue); 6] {
    [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, kept),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
}

/// Whether gzip is among what is accepted, and not by `q=0` (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip")
                && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

/// Changes when the content does. Quoted, as RFC 9110 wants it.
fn tag(content: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).unwrap_or(HeaderValue::from_static("\"\""))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &[Page] = &[
        Page {
            path: "assets/main-1.js",
            plain: b"plain",
            gzip: b"packed",
        },
        Page {
            path: "index.html",
            plain: b"document",
            gzip: b"packed document",
        },
    ];

    fn get(path: &str, headers: &[(HeaderName, &'static str)]) -> Response {
        let headers = headers.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        respond(BUILT, path, &headers.collect())
    }

    async fn body(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_deep_link_is_answered_with_the_document() {
        for path in [
            "/",
            "/search?order=duration",
            "/trace/0af7651916cd43dd8448eb211c80319c",
            "/index.html",
        ] {
            let response = get(path, &[]);
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            assert_eq!(response.headers()[header::CACHE_CONTROL], ASK_AGAIN);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(body(response).await, "document");
        }
    }

    #[tokio::test]
    async fn a_hashed_file_is_kept_for_good_and_a_missing_one_is_no_document() {
        let response = get("/assets/main-1.js", &[]);
        assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_GOOD);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        assert_eq!(get("/assets/main-0.js", &[]).status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn gzip_is_sent_to_those_who_take_it() {
        let packed = get("/", &[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]);
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(body(packed).await, "packed document");
        for refused in ["identity", "gzip;q=0, br", "x-gzip"] {
            let plain = get("/", &[(header::ACCEPT_ENCODING, refused)]);
            assert!(
                !plain.headers().contains_key(header::CONTENT_ENCODING),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn what_the_browser_has_already_is_not_sent_again() {
        let tag = get("/", &[]).headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag);
        let response = respond(BUILT, "/map", &headers);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(body(response).await, "");
    }

    #[tokio::test]
    async fn without_pages_it_says_how_they_come_to_be() {
        let response = respond(&[], "/", &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(body(response).await.contains("make ui"));
    }
}
