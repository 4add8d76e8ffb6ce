//! Both sides over a real socket.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::{Stream, StreamExt, stream};
use settings::client::{Updates, WatchError, watch};
use settings::{LONGEST_DOCUMENT, Update, Who, server};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch as channel;

fn update(document: &str) -> Update {
    Update::new(document.to_owned(), BTreeMap::new())
}

fn who(pod: &str) -> Who {
    Who {
        namespace: "bank".to_owned(),
        pod: pod.to_owned(),
        uid: "1".to_owned(),
    }
}

/// Where it listens, and what stops it.
async fn operator<F, S>(updates: F) -> (SocketAddr, channel::Sender<bool>)
where
    F: Fn(Who) -> S + Clone + Send + Sync + 'static,
    S: Stream<Item = Update> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = channel::channel(false);
    tokio::spawn(server::serve(listener, updates, stopped));
    (at, stop)
}

async fn ask(at: SocketAddr, pod: &str) -> Result<Updates, WatchError> {
    let stream = TcpStream::connect(at).await.unwrap();
    watch(stream, &format!("http://{at}"), who(pod)).await
}

#[tokio::test]
async fn a_pod_is_told_what_holds_and_what_changes() {
    let (change, changed) = channel::channel(update("sampling: 1"));
    let (at, _stop) = operator(move |who: Who| {
        server::changes(changed.clone(), move |update| {
            let document = format!("{} # {}", update.document, who.pod);
            (!update.document.is_empty()).then(|| Update::new(document, BTreeMap::new()))
        })
    })
    .await;
    let mut updates = ask(at, "account-0").await.unwrap();
    assert_eq!(
        updates.next().await.unwrap(),
        Some(update("sampling: 1 # account-0"))
    );
    // neither nothing nor the same is said
    for document in ["", "sampling: 1", "sampling: 0"] {
        change.send_replace(update(document));
        tokio::task::yield_now().await;
    }
    assert_eq!(
        updates.next().await.unwrap(),
        Some(update("sampling: 0 # account-0"))
    );
}

#[tokio::test]
async fn whoever_is_no_pod_is_told_what_a_pod_is() {
    let (at, _stop) = operator(|_| stream::pending()).await;
    for name in [String::new(), "p".repeat(254)] {
        let refused = ask(at, &name).await.unwrap_err().to_string();
        assert_eq!(
            refused,
            "the operator: namespace and pod have to be names in Kubernetes"
        );
    }
}

#[tokio::test]
async fn an_operator_that_stops_says_so_and_leaves() {
    let (at, stop) = operator(|_| stream::iter([update("")]).chain(stream::pending())).await;
    let mut updates = ask(at, "account-0").await.unwrap();
    assert!(updates.next().await.unwrap().is_some());
    stop.send_replace(true);
    assert!(updates.next().await.unwrap_err().to_string().contains("stopping"));
    assert!(TcpStream::connect(at).await.is_err());
}

#[tokio::test]
async fn a_document_beyond_the_bound_is_not_taken() {
    let long = "#".repeat(LONGEST_DOCUMENT + 1);
    let (at, _stop) = operator(move |_| stream::iter([update(&long)])).await;
    let mut updates = ask(at, "account-0").await.unwrap();
    assert!(matches!(updates.next().await, Err(WatchError::TooLong(_))));
}

#[tokio::test]
async fn what_speaks_no_http2_is_no_operator() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        stream.readable().await.unwrap();
    });
    assert!(ask(at, "account-0").await.is_err());
}
