//! The one exchange that every contender carries: a small JSON answer to a GET with the heads of everyday traffic.
//!
//! The request is what an HTTP library and a browser's cookie jar make together, ten fields; the answer is what a
//! small JSON API sends. Neither knows about tracing.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};

/// What is asked for.
pub const PATH: &str = "/accounts/4711/balance";

/// Who is asked, besides the address that is dialled.
pub const AUTHORITY: &str = "balance.bank.svc.cluster.local:8080";

/// The body of the answer. The client compares it byte for byte, so a contender that loses some does not win.
pub const ANSWER: &str = concat!(
    r#"{"account":"4711","owner":"ada","currency":"EUR","balance":1815.12,"#,
    r#""available":1790.00,"as_of":"2024-05-17T09:30:00Z"}"#,
);

const ASKED: [(&str, &str); 9] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ),
    ("accept", "application/json, text/plain;q=0.9, */*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
    ("accept-encoding", "gzip, deflate, br"),
    (
        "cookie",
        "session=9b1c7e0d2f5a4c38; theme=dark; consent=essential",
    ),
    (
        "authorization",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
    ),
    ("x-request-id", "5f0c0d6e-3a57-4b0e-9a51-b6f2c3a1d7e4"),
    ("cache-control", "no-cache"),
    ("referer", "https://bank.example/accounts"),
];

const ANSWERED: [(&str, &str); 4] = [
    ("content-type", "application/json; charset=utf-8"),
    ("cache-control", "no-store"),
    ("date", "Fri, 17 May 2024 09:30:00 GMT"),
    ("server", "bench-origin"),
];

/// The request as it goes over an HTTP/1.1 connection.
#[must_use]
pub fn h1_request() -> Vec<u8> {
    let mut head = format!("GET {PATH} HTTP/1.1\r\nhost: {AUTHORITY}\r\n");
    write_fields(&mut head, &ASKED);
    head.into_bytes()
}

/// The answer as it goes over an HTTP/1.1 connection, body included.
#[must_use]
pub fn h1_response() -> Vec<u8> {
    let mut message = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", ANSWER.len());
    write_fields(&mut message, &ANSWERED);
    message.push_str(ANSWER);
    message.into_bytes()
}

/// The request as an HTTP/2 client sends it.
///
/// # Errors
/// Never with the constants above.
pub fn h2_request() -> Result<Request<()>, http::Error> {
    let uri = Uri::builder()
        .scheme("http")
        .authority(AUTHORITY)
        .path_and_query(PATH)
        .build()?;
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = fields(&ASKED);
    Ok(request)
}

/// The head of the answer as an HTTP/2 server sends it; its body is [`ANSWER`].
#[must_use]
pub fn h2_response() -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = fields(&ANSWERED);
    response
        .headers_mut()
        .insert(http::header::CONTENT_LENGTH, ANSWER.len().into());
    response
}

/// The body of the answer, shared and never copied.
#[must_use]
pub fn answer() -> Bytes {
    Bytes::from_static(ANSWER.as_bytes())
}

fn write_fields(head: &mut String, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
}

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_ask_with_ten_fields_counting_the_host() {
        let wire = h1_request();
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        assert_eq!(
            request.parse(&wire).unwrap(),
            httparse::Status::Complete(wire.len())
        );
        assert_eq!(request.headers.len(), 10);
        assert_eq!(h2_request().unwrap().headers().len() + 1, 10);
    }

    #[test]
    fn the_answer_is_json_of_the_announced_length() {
        let wire = h1_response();
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&wire).unwrap() else {
            panic!("a whole head")
        };
        assert_eq!(&wire[head..], ANSWER.as_bytes());
        assert!(serde_json::from_str::<serde_json::Value>(ANSWER).is_ok());
    }
}
