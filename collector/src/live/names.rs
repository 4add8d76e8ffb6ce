use std::collections::HashSet;
use std::sync::Arc;

/// Names that are remembered at once.
const NAMES: usize = 16_384;
/// Bytes of a name; longer ones are cut.
const NAME_BYTES: usize = 256;
/// What stands for a name that there is no room for.
pub(super) const OTHER: &str = "other";

/// Every name once, so that what is counted under it holds it cheaply. Names that nothing holds any more make room.
#[derive(Debug)]
pub(super) struct Names {
    known: HashSet<Arc<str>>,
    other: Arc<str>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            known: HashSet::new(),
            other: Arc::from(OTHER),
        }
    }
}

impl Names {
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        let name = name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or(name);
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= NAMES {
            self.known.retain(|name| Arc::strong_count(name) > 1);
        }
        if self.known.len() >= NAMES {
            return Arc::clone(&self.other);
        }
        let name: Arc<str> = Arc::from(name);
        self.known.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nothing_holds_make_room_and_the_others_stay() {
        let mut names = Names::default();
        let held = names.get("held");
        for number in 0..NAMES * 2 {
            names.get(&number.to_string());
        }
        assert!(Arc::ptr_eq(&held, &names.get("held")));
        let all: Vec<_> = (0..NAMES).map(|number| names.get(&number.to_string())).collect();
        assert_eq!(&**all.last().unwrap(), OTHER);
        assert!(names.known.len() <= NAMES);
        drop(all);
        assert_eq!(names.get(&"é".repeat(200)).len(), NAME_BYTES);
    }
}
