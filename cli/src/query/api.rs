//! Asking a collector, or anything else that answers Jaeger's HTTP JSON API.

use std::ops::ControlFlow;

use hyper::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http;
use super::model::Trace;

/// So many of the latest traces are looked through for one whose id begins with what was given.
const RECENT: usize = 500;
const DIGITS_OF_AN_ID: usize = 32;

/// A collector.
#[derive(Clone, Debug)]
pub struct Api {
    /// As the user wrote it.
    place: String,
    host: String,
    port: u16,
    path: String,
}

/// Which traces to look for: those with a span that matches all of it.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The span's service.
    pub service: Option<String>,
    /// The span's name.
    pub operation: Option<String>,
    /// Attributes of the span, key and value.
    pub tags: Vec<(String, String)>,
    /// The span took at least this long: `300ms`.
    pub min_duration: Option<String>,
    /// The span took at most this long.
    pub max_duration: Option<String>,
    /// The span is not older than this: `1h`.
    pub since: Option<String>,
    /// How many traces at most.
    pub limit: usize,
    /// The slowest first instead of the latest.
    pub slowest: bool,
}

/// One trace as the collector gave it, and as we read it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) trace: Trace,
    pub(super) json: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address makes no sense.
    #[error("`{0}` is not the address of a collector: http://HOST:PORT, such as http://127.0.0.1:16686")]
    Place(String),
    /// Nobody answers.
    #[error(
        "no collector answers at {place} ({source}): is `meshtrace up` running? --collector or MESHTRACE_QUERY names \
         another one"
    )]
    Silent {
        /// The collector.
        place: String,
        /// What happened instead.
        source: http::Error,
    },
    /// It answers, but not with what was asked for.
    #[error("the collector at {place} says: {what}")]
    Refused {
        /// The collector.
        place: String,
        /// Its own words.
        what: String,
    },
    /// What answers is no collector.
    #[error(
        "what answers at {place} does not speak the API that was asked for ({source}): is this a collector's query port?"
    )]
    Foreign {
        /// The address.
        place: String,
        /// What was wrong with the answer.
        source: serde_json::Error,
    },
    /// That cannot be the beginning of a trace id.
    #[error("`{0}` is not a trace id, nor the beginning of one: 1 to 32 hexadecimal digits")]
    NotAnId(String),
    /// There is no such trace.
    #[error(
        "no trace whose id begins with `{0}`, at least not among the {RECENT} latest; `meshtrace traces` lists what there is"
    )]
    Unknown(String),
    /// There are several.
    #[error("`{given}` is the beginning of several trace ids: {}", ids.join(", "))]
    Ambiguous {
        /// What was given.
        given: String,
        /// Some of them.
        ids: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Envelope {
    data: Option<Vec<Value>>,
    errors: Option<Vec<Problem>>,
}

#[derive(Deserialize)]
struct Problem {
    msg: String,
}

/// What our own collectors say when they do not answer.
#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    message: String,
    #[serde(rename = "where")]
    place: Option<String>,
    allowed: Option<String>,
}

impl Wrong {
    fn text(&self) -> String {
        let place = self
            .place
            .as_ref()
            .map(|place| format!("{place}: "))
            .unwrap_or_default();
        let allowed = self
            .allowed
            .as_ref()
            .map(|allowed| format!(" (allowed: {allowed})"));
        format!("{place}{}{}", self.message, allowed.unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Found {
    traces: Vec<FoundTrace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundTrace {
    trace_id: String,
}

impl Api {
    /// The collector at `place`, `http://host:port`.
    ///
    /// # Errors
    /// It is not such an address.
    pub fn at(place: &str) -> Result<Self, Error> {
        let wrong = || Error::Place(place.to_owned());
        let uri: Uri = place.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?;
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") || uri.query().is_some() {
            return Err(wrong());
        }
        Ok(Self {
            place: place.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(contract::port::QUERY),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The traces that match, in the collector's order.
    pub(super) async fn search(&self, search: &Search) -> Result<Vec<Trace>, Error> {
        self.read(self.ask(&format!("/api/traces?{}", search.query())).await?)
    }

    /// The trace whose id is, or begins with, `id`.
    pub(super) async fn trace(&self, id: &str) -> Result<Answer, Error> {
        let id = id.to_ascii_lowercase();
        if id.is_empty() || id.len() > DIGITS_OF_AN_ID || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::NotAnId(id));
        }
        let whole = if id.len() == DIGITS_OF_AN_ID {
            id
        } else {
            self.complete(&id).await?
        };
        let data = self.ask(&format!("/api/traces/{whole}")).await?;
        let json = data
            .into_iter()
            .next()
            .ok_or_else(|| Error::Unknown(whole.clone()))?;
        let trace = self
            .read(vec![json.clone()])?
            .into_iter()
            .next()
            .ok_or(Error::Unknown(whole))?;
        Ok(Answer { trace, json })
    }

    async fn complete(&self, beginning: &str) -> Result<String, Error> {
        let recent = self
            .search(&Search {
                limit: RECENT,
                ..Search::default()
            })
            .await?;
        let mut ids: Vec<_> = recent
            .into_iter()
            .map(|trace| trace.id)
            .filter(|id| id.starts_with(beginning))
            .collect();
        match ids.len() {
            0 => Err(Error::Unknown(beginning.to_owned())),
            1 => Ok(ids.remove(0)),
            _ => {
                ids.truncate(5);
                Err(Error::Ambiguous {
                    given: beginning.to_owned(),
                    ids,
                })
            }
        }
    }

    /// Asks for something, as part of the trace that `traceparent` names.
    pub(super) async fn ask_traced(&self, traceparent: &str) -> Result<(), Error> {
        let (name, target) = (self.name(), format!("{}/api/services", self.path));
        let response = http::get_traced((self.host.as_str(), self.port), &name, &target, traceparent).await;
        self.accepted(response.map_err(|source| self.silent(source))?)?;
        Ok(())
    }

    async fn ask(&self, target: &str) -> Result<Vec<Value>, Error> {
        let place = || self.place.clone();
        let host = format!("{}:{}", self.host, self.port);
        let target = format!("{}{target}", self.path);
        let response = http::get_from((self.host.as_str(), self.port), &host, &target)
            .await
            .map_err(|source| Error::Silent {
                place: place(),
                source,
            })?;
        let envelope: Envelope = serde_json::from_slice(&response.body).map_err(|source| Error::Foreign {
            place: place(),
            source,
        })?;
        match envelope {
            Envelope { data: Some(data), .. } if response.status == 200 => Ok(data),
            Envelope { errors, .. } => {
                let mut said: Vec<_> = errors.into_iter().flatten().map(|problem| problem.msg).collect();
                if said.is_empty() {
                    said.push(format!("status {}", response.status));
                }
                Err(Error::Refused {
                    place: place(),
                    what: said.join("; "),
                })
            }
        }
    }

    /// The collector's own answer to a question in its own words.
    pub(super) async fn own(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Error> {
        let response = self.fetch(path, parameters, |_| {}).await?;
        self.json(&response)
    }

    /// The same as it came. `far` is told how many bytes have come.
    pub(super) async fn fetch(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        far: impl FnMut(usize),
    ) -> Result<http::Response, Error> {
        let (name, target) = (self.name(), self.target(path, parameters));
        let response = http::read_from((self.host.as_str(), self.port), &name, &target, far).await;
        let response = response.map_err(|source| self.silent(source))?;
        self.accepted(response)
    }

    /// Sends a file.
    pub(super) async fn send(&self, path: &str, file: Vec<u8>) -> Result<Value, Error> {
        let response = self.post(path, &[], file, |_| {}).await?;
        self.json(&response)
    }

    /// What is answered to a body, as it comes. `far` is told how many bytes have.
    pub(super) async fn post(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        body: Vec<u8>,
        far: impl FnMut(usize),
    ) -> Result<http::Response, Error> {
        let (name, target) = (self.name(), self.target(path, parameters));
        let response = http::post_to((self.host.as_str(), self.port), &name, &target, body.into(), far).await;
        self.accepted(response.map_err(|source| self.silent(source))?)
    }

    /// Follows an answer that does not end, line by line.
    pub(super) async fn follow(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        take: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let (name, target) = (self.name(), self.target(path, parameters));
        let refused = http::follow((self.host.as_str(), self.port), &name, &target, take).await;
        match refused.map_err(|source| self.silent(source))? {
            Some(response) => self.accepted(response).map(|_| ()),
            None => Ok(()),
        }
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn target(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut target = format!("{}/api/meshtrace/v1{path}", self.path);
        for (index, (key, value)) in parameters.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            target += &format!("{mark}{key}={}", escaped(value));
        }
        target
    }

    fn silent(&self, source: http::Error) -> Error {
        Error::Silent {
            place: self.place.clone(),
            source,
        }
    }

    fn json<T: DeserializeOwned>(&self, response: &http::Response) -> Result<T, Error> {
        serde_json::from_slice(&response.body).map_err(|source| self.foreign(source))
    }

    /// What is shown of an answer.
    pub(super) fn shown<T: DeserializeOwned>(&self, answer: &Value) -> Result<T, Error> {
        T::deserialize(answer).map_err(|source| self.foreign(source))
    }

    fn foreign(&self, source: serde_json::Error) -> Error {
        Error::Foreign {
            place: self.place.clone(),
            source,
        }
    }

    /// The answer, if it is one; the collector's words otherwise.
    fn accepted(&self, response: http::Response) -> Result<http::Response, Error> {
        if response.status == 200 {
            return Ok(response);
        }
        let refusal: Refusal = self.json(&response)?;
        let said: Vec<_> = refusal.errors.iter().map(Wrong::text).collect();
        Err(Error::Refused {
            place: self.place.clone(),
            what: said.join("; "),
        })
    }

    /// The whole id of the trace whose id begins with `id`: looked for in all traces that are kept.
    pub(super) async fn find(&self, id: &str) -> Result<String, Error> {
        let found = self.own("/traces", &[("traceId", id), ("limit", "5")]).await?;
        let found: Found = self.shown(&found)?;
        let mut ids: Vec<_> = found.traces.into_iter().map(|trace| trace.trace_id).collect();
        match ids.len() {
            0 => Err(Error::Unknown(id.to_owned())),
            1 => Ok(ids.remove(0)),
            _ => Err(Error::Ambiguous {
                given: id.to_owned(),
                ids,
            }),
        }
    }

    fn read(&self, data: Vec<Value>) -> Result<Vec<Trace>, Error> {
        data.into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()
            .map_err(|source| Error::Foreign {
                place: self.place.clone(),
                source,
            })
    }
}

impl Search {
    fn query(&self) -> String {
        let limit = self.limit.to_string();
        let mut query = format!("limit={limit}");
        let mut add = |key: &str, value: &str| {
            query += &format!("&{key}={}", escaped(value));
        };
        let texts = [
            ("service", &self.service),
            ("operation", &self.operation),
            ("minDuration", &self.min_duration),
            ("maxDuration", &self.max_duration),
            ("lookback", &self.since),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                add(key, value);
            }
        }
        if !self.tags.is_empty() {
            let tags: serde_json::Map<_, _> = self
                .tags
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into()))
                .collect();
            add("tags", &Value::Object(tags).to_string());
        }
        if self.slowest {
            add("order", "duration");
        }
        query
    }
}

/// Percent-encodes everything but what RFC 3986 section 2.3 calls unreserved.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_asked_in_jaegers_words() {
        let search = Search {
            service: Some("edge".to_owned()),
            operation: Some("GET /a/{id}".to_owned()),
            tags: vec![("error".to_owned(), "true".to_owned())],
            min_duration: Some("300ms".to_owned()),
            since: Some("1h".to_owned()),
            limit: 5,
            slowest: true,
            ..Search::default()
        };
        assert_eq!(
            search.query(),
            "limit=5&service=edge&operation=GET%20%2Fa%2F%7Bid%7D&minDuration=300ms&lookback=1h\
             &tags=%7B%22error%22%3A%22true%22%7D&order=duration"
        );
    }

    #[test]
    fn a_collector_is_named_by_its_address() {
        let api = Api::at("http://[::1]:9/base/").unwrap();
        assert_eq!(
            (api.host.as_str(), api.port, api.path.as_str()),
            ("::1", 9, "/base")
        );
        assert_eq!(Api::at("http://localhost").unwrap().port, 16686);
        for wrong in ["https://localhost:1", "", "http://", "/path", "http://a?b"] {
            assert!(matches!(Api::at(wrong), Err(Error::Place(_))), "{wrong}");
        }
    }
}
