//! What the rooms of a collector share: where spans are kept, what is counted of them, and who watches them arrive.

use std::sync::Arc;

use crate::live::Live;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tail::Tail;

/// All of it. Clones share it.
#[derive(Clone)]
pub struct Sources {
    /// Where spans are kept.
    pub store: Arc<dyn Store>,
    /// What is counted of the collector itself.
    pub metrics: Arc<Metrics>,
    /// What is counted of the spans as they arrive.
    pub live: Arc<Live>,
    /// Who watches them arrive.
    pub tail: Arc<Tail>,
}

impl Sources {
    /// Around a store, with nothing counted and nobody watching yet.
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            metrics,
            live: Arc::default(),
            tail: Arc::default(),
        }
    }
}
