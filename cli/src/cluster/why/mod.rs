//! `meshtrace why deploy/NAME`: has it a sidecar or none, for which reasons, what wins over what, and what to do.
//!
//! [`gather`] asks the cluster; [`explain`] decides by the crate `inject`, the very code of the operator's webhook, and is
//! pure; [`text`] writes it down.

mod explain;
mod gather;
mod levels;
mod subject;
mod text;

pub use explain::{Explanation, Verdict};
pub use gather::Settings;
pub use subject::Subject;

use crate::style::Style;

use super::kubectl::{Error, Kubectl};

/// Explains `subject` in `namespace`, or in that which kubectl would take, where meshtrace is installed in `installed_in`.
///
/// # Errors
/// The subject cannot be read. What else cannot be read is told in the explanation.
pub async fn why(
    kubectl: &Kubectl,
    subject: &Subject,
    namespace: Option<&str>,
    installed_in: &str,
) -> Result<Explanation, Error> {
    let seen = gather::gather(kubectl, subject, namespace, installed_in).await?;
    Ok(explain::explain(&seen))
}

/// The explanation in sentences.
pub fn told(explanation: &Explanation, style: Style) -> String {
    text::text(explanation, style)
}
