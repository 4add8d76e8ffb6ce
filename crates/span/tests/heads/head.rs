//! A head made of texts, and the head that it becomes when our edits are made.

use span::{Edits, Field};

/// A head that owns its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head(pub(crate) Vec<(Vec<u8>, Vec<u8>)>);

impl Head {
    pub(crate) fn of(fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        Self(fields.iter().map(owned).collect())
    }

    pub(crate) fn fields(&self) -> Vec<Field<'_>> {
        self.0
            .iter()
            .map(|(name, value)| Field::new(name, value))
            .collect()
    }

    /// The head as a tap would send it on. Panics where a tap would have nowhere to put an edit.
    pub(crate) fn edited(&self, edits: &Edits) -> Self {
        let mut head = self.clone();
        for (index, value) in edits.replaced() {
            head.0[index].1 = value.to_vec();
        }
        head.0.extend(
            edits
                .added()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())),
        );
        head
    }

    /// The value of the first field of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self
            .0
            .iter()
            .find(|field| field.0.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(std::str::from_utf8(&field.1).unwrap())
    }
}
