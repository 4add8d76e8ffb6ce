//! How many causes each method finds, on workloads whose causes are known.
//!
//! [`sim`] simulates services with a sidecar beside each, and [`replay`] reads recorded traces; both give what the sidecars
//! saw ([`log::Log`]) with the truth beside. [`method`] holds our engine and the baselines, which read logs only; [`score`] holds their answers against the
//! truth, and [`report`] prints them. The engine is driven as a sidecar drives it; no room is imported.

pub mod export;
pub mod log;
pub mod measure;
pub mod method;
pub mod promises;
pub mod random;
pub mod replay;
pub mod report;
pub mod score;
pub mod sim;
