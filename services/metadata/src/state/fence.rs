//! Partitions are given fencing tokens, by their leader alone. Keeps I5.

use aquifer_types::{FencingToken, LeaderEpoch, TopicId, TopicPartition};

use crate::answer::{FenceRefusal, NotLeading};
use crate::command::{BrokerRun, Fence, FenceIf};
use crate::delta::Delta;
use crate::image::Image;
use crate::state::State;

impl State {
    /// From now on requests that carry a token must carry this one. The same again is a retry.
    pub(crate) fn fence(&mut self, fence: &Fence, deltas: &mut Vec<Delta>) -> Result<(), FenceRefusal> {
        let Fence { run, partition: at, leader_epoch, token, condition } = *fence;
        self.image.check_leads(run, at, leader_epoch)?;
        let current = self.image.fence(at);
        if current == token {
            return Ok(());
        }
        if let FenceIf::Is(expected) = condition
            && expected != current
        {
            return Err(FenceRefusal::Another(current));
        }
        match token {
            Some(token) => self.image.fences.insert(at, token),
            None => self.image.fences.remove(&at),
        };
        deltas.push(Delta::FenceChanged(at));
        Ok(())
    }

    /// A deleted topic's tokens bind nobody.
    pub(crate) fn unfence_topic(&mut self, topic: TopicId, partitions: i32) {
        for partition in 0..partitions {
            let at = TopicPartition { topic, partition: aquifer_types::PartitionIndex(partition) };
            self.image.fences.remove(&at);
        }
    }
}

impl Image {
    /// The partition's fencing token, if it has one.
    #[must_use]
    pub fn fence(&self, at: TopicPartition) -> Option<FencingToken> {
        self.fences.get(&at).copied()
    }

    /// Only the leader of the partition, in its present epoch, speaks for its log. Keeps I5.
    pub(crate) fn check_leads(
        &self,
        run: BrokerRun,
        at: TopicPartition,
        named: LeaderEpoch,
    ) -> Result<(), NotLeading> {
        self.check_run(run)?;
        let partition = self.partition(at).ok_or(NotLeading::UnknownPartition)?;
        let epoch = partition.leader_epoch();
        if partition.leader() != Some(run.node) || epoch != named {
            return Err(NotLeading::Another(epoch));
        }
        Ok(())
    }
}

#[cfg(test)]
mod fence_test {
    use super::*;
    use crate::answer::Answer;
    use crate::command::{Change, TopicKey};
    use crate::state::fixture::Cluster;

    fn token(text: &str) -> Option<FencingToken> {
        Some(text.parse().expect("a token"))
    }

    fn fenced(cluster: &mut Cluster, fence: Fence) -> Result<(), FenceRefusal> {
        match cluster.apply(Change::Fence(fence)) {
            Answer::Fenced(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_leader_gives_a_partition_its_token_if_nobody_else_did_meanwhile() {
        let mut cluster = Cluster::with_brokers(2);
        let at = cluster.create("t", &[0, 1], &[]);
        let (leader, follower) = (cluster.run(0), cluster.run(1));
        let to = |text, condition| Fence {
            run: leader,
            partition: at,
            leader_epoch: LeaderEpoch(0),
            token: token(text),
            condition,
        };

        assert_eq!(fenced(&mut cluster, to("a", FenceIf::Is(None))), Ok(()));
        assert_eq!(fenced(&mut cluster, to("a", FenceIf::Is(None))), Ok(()), "a retry");
        let late = fenced(&mut cluster, to("b", FenceIf::Is(None)));
        assert_eq!(late, Err(FenceRefusal::Another(token("a"))));
        assert_eq!(fenced(&mut cluster, to("b", FenceIf::Is(token("a")))), Ok(()));
        assert_eq!(fenced(&mut cluster, to("c", FenceIf::Any)), Ok(()));
        let of_another = Fence { run: follower, ..to("d", FenceIf::Any) };
        let refused = fenced(&mut cluster, of_another);
        assert_eq!(refused, Err(FenceRefusal::Leads(NotLeading::Another(LeaderEpoch(0)))));
        let early = Fence { leader_epoch: LeaderEpoch(-1), ..to("d", FenceIf::Any) };
        assert!(fenced(&mut cluster, early).is_err());
        assert_eq!(cluster.image().fence(at), token("c"));
        let without = Fence { token: None, ..to("c", FenceIf::Any) };
        assert_eq!(fenced(&mut cluster, without), Ok(()));
        assert_eq!(cluster.image().fence(at), None);
    }

    #[test]
    fn a_deleted_topics_token_is_forgotten() {
        let mut cluster = Cluster::with_brokers(1);
        let at = cluster.create("t", &[0], &[]);
        let (run, leader_epoch) = (cluster.run(0), LeaderEpoch(0));
        let condition = FenceIf::Any;
        let fence = Fence { run, partition: at, leader_epoch, token: token("a"), condition };
        fenced(&mut cluster, fence).expect("fenced");

        cluster.apply(Change::DeleteTopics(vec![TopicKey::Id(at.topic)]));

        assert_eq!(cluster.image().fence(at), None);
    }
}
