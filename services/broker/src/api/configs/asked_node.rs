//! A broker answers for its own configs only.

use aquifer_types::NodeId;

use crate::broker::Broker;
use crate::refusal::Refused;

impl Broker {
    /// Refuses a question about another node.
    pub(super) fn check_asks_us(&self, node: NodeId) -> Result<(), Refused> {
        if node == self.run.node {
            return Ok(());
        }
        let own = self.run.node;
        Err(Refused::invalid_request(format!(
            "this is node {own}: ask node {node} itself, or name no broker"
        )))
    }
}
