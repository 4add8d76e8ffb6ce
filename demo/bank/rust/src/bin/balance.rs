//! Balance: the only place where the bank keeps money.
//!
//! `GET /accounts/{id}/balance` tells it, `POST /accounts/{id}/entries` with `{"amount": cents}` changes it. An entry
//! that would take an account below zero is refused with 409 and changes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, io};

use bank::{Answer, Call, refusal, segments, serve};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// What every account holds when the bank opens, in cents.
const OPENING: i64 = 100_000;
/// Accounts `1` to this one exist.
const ACCOUNTS: u32 = 8;

type Ledger = Arc<Mutex<HashMap<u32, i64>>>;

#[derive(Deserialize)]
struct Entry {
    amount: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let ledger: Ledger = Arc::new(Mutex::new((1..=ACCOUNTS).map(|id| (id, OPENING)).collect()));
    serve(port(), move |call| handle(Arc::clone(&ledger), call)).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "a demo service: its one setting is read here"
)]
fn port() -> u16 {
    env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(8080)
}

async fn handle(ledger: Ledger, call: Call) -> Answer {
    let account = |id: &str| id.parse::<u32>().ok();
    match (&call.method, segments(&call.path).as_slice()) {
        (&Method::GET, ["accounts", id, "balance"]) => tell(&ledger, account(id)),
        (&Method::POST, ["accounts", id, "entries"]) => match serde_json::from_slice::<Entry>(&call.body) {
            Ok(entry) => enter(&ledger, account(id), entry.amount),
            Err(_) => refusal(StatusCode::BAD_REQUEST, "an entry is {\"amount\": cents}"),
        },
        _ => refusal(StatusCode::NOT_FOUND, "no such place"),
    }
}

fn tell(ledger: &Ledger, account: Option<u32>) -> Answer {
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    match account.and_then(|id| ledger.get(&id)) {
        Some(balance) => (StatusCode::OK, json!({ "balance": balance })),
        None => refusal(StatusCode::NOT_FOUND, "no such account"),
    }
}

fn enter(ledger: &Ledger, account: Option<u32>, amount: i64) -> Answer {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(balance) = account.and_then(|id| ledger.get_mut(&id)) else {
        return refusal(StatusCode::NOT_FOUND, "no such account");
    };
    match balance.checked_add(amount) {
        Some(new) if new >= 0 => {
            *balance = new;
            (StatusCode::OK, json!({ "balance": new }))
        }
        _ => refusal(StatusCode::CONFLICT, "insufficient funds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Arc::new(Mutex::new(HashMap::from([(1, 500)])))
    }

    #[test]
    fn an_entry_changes_the_balance() {
        let ledger = ledger();
        assert_eq!(
            enter(&ledger, Some(1), -200),
            (StatusCode::OK, json!({ "balance": 300 }))
        );
        assert_eq!(
            tell(&ledger, Some(1)),
            (StatusCode::OK, json!({ "balance": 300 }))
        );
    }

    #[test]
    fn an_account_cannot_be_overdrawn_or_overflow() {
        let ledger = ledger();
        assert_eq!(enter(&ledger, Some(1), -501).0, StatusCode::CONFLICT);
        assert_eq!(enter(&ledger, Some(1), i64::MAX).0, StatusCode::CONFLICT);
        assert_eq!(tell(&ledger, Some(1)).1, json!({ "balance": 500 }));
    }

    #[test]
    fn an_unknown_account_is_not_found() {
        assert_eq!(tell(&ledger(), Some(2)).0, StatusCode::NOT_FOUND);
        assert_eq!(enter(&ledger(), None, 1).0, StatusCode::NOT_FOUND);
    }
}
