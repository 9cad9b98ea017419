//! `Footers`: the footers of objects that are being read, decoded once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use aquifer_manifest::Footer;

/// How many are kept.
const KEPT_MAX: usize = 2_000;

/// What tells what lies in one place from all else in the bucket: of a range that was copied out of a bundle, the position alone
/// changes.
pub(crate) type ObjectId = (u64, u64, i64, u32);

/// The footers kept, oldest first.
#[derive(Default)]
pub(crate) struct Footers {
    kept: BTreeMap<ObjectId, Arc<Footer>>,
    order: VecDeque<ObjectId>,
}

impl Footers {
    pub(crate) fn get(&self, object: ObjectId) -> Option<Arc<Footer>> {
        self.kept.get(&object).cloned()
    }

    pub(crate) fn keep(&mut self, object: ObjectId, footer: Arc<Footer>) {
        if self.kept.insert(object, footer).is_none() {
            self.order.push_back(object);
            if self.order.len() > KEPT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.kept.remove(&oldest);
            }
        }
    }
}
