//! An operator as far as sidecars see one: the stream's own server, and a word that can be changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use settings::{Update, Who, server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::sockets::free_address;

/// An operator that runs until it is dropped, and tells every pod the same.
#[derive(Debug)]
pub struct Operator {
    /// Where it is asked.
    pub address: SocketAddr,
    word: watch::Sender<Update>,
    asked: watch::Receiver<Vec<Who>>,
    runtime: Option<Runtime>,
}

impl Operator {
    /// An operator with something to say, on an address of its own.
    pub fn saying(document: &str) -> Self {
        Self::at(free_address(), document)
    }

    /// An operator on this address, where another one may have been.
    pub fn at(address: SocketAddr, document: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let word = watch::Sender::new(update(document));
        let (asking, asked) = watch::channel(Vec::new());
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let updates = {
            let word = word.clone();
            move |who| {
                asking.send_modify(|asked: &mut Vec<Who>| asked.push(who));
                server::changes(word.subscribe(), |update| Some(update.clone()))
            }
        };
        let (running, stopped) = watch::channel(false);
        runtime.spawn(async move {
            server::serve(listener, updates, stopped).await;
            drop(running);
        });
        Self {
            address,
            word,
            asked,
            runtime: Some(runtime),
        }
    }

    /// The lines of a sidecar's configuration that ask here, as this pod.
    pub fn config(&self, pod: &str) -> String {
        format!(
            "operator: \"http://{}\"\nresource: {{ k8s.namespace.name: bank, k8s.pod.name: {pod}, k8s.pod.uid: \"7\" }}",
            self.address
        )
    }

    /// Says something else from now on.
    pub fn say(&self, document: &str) {
        self.word.send_replace(update(document));
    }

    /// Which pods have asked, each call once.
    pub fn asked(&self) -> Vec<Who> {
        self.asked.borrow().clone()
    }
}

fn update(document: &str) -> Update {
    let origins = BTreeMap::from([("sampling".to_owned(), "TracePolicy bank/story".to_owned())]);
    Update::new(document.to_owned(), origins)
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
