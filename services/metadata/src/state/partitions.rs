//! Leaders report who is in sync with them.

use std::sync::Arc;

use crate::answer::AlterPartitionRefusal;
use crate::command::{AlterPartition, BrokerRun};
use crate::delta::Delta;
use crate::image::Image;
use crate::partition::{Members, Partition, RecoveryState};
use crate::state::State;

impl State {
    /// Applied only if both epochs are still the partition's, so that a report that was overtaken changes nothing.
    pub(crate) fn alter_partition(
        &mut self,
        run: BrokerRun,
        alter: &AlterPartition,
        deltas: &mut Vec<Delta>,
    ) -> Result<Partition, AlterPartitionRefusal> {
        let isr = self.image.check_alter_partition(run, alter)?;
        self.edit_partition(alter.partition, deltas, |topic, partition| {
            let min_in_sync = topic.min_in_sync(partition);
            partition.recovery = alter.recovery;
            partition.replace_isr(isr, min_in_sync);
        });
        // Who is in sync again has copied everything, whatever recovery found.
        for member in &alter.isr {
            self.trust(member.node, |at| *at == alter.partition);
        }
        self.image.partition(alter.partition).cloned().ok_or(AlterPartitionRefusal::Unknown)
    }
}

impl Image {
    fn check_alter_partition(
        &self,
        run: BrokerRun,
        alter: &AlterPartition,
    ) -> Result<Members, AlterPartitionRefusal> {
        self.check_run(run)?;
        let partition = self.partition(alter.partition).ok_or(AlterPartitionRefusal::Unknown)?;
        if partition.leader() != Some(run.node) {
            return Err(AlterPartitionRefusal::NotLeader(run.node));
        }
        if partition.leader_epoch() != alter.leader_epoch {
            let (current, named) = (partition.leader_epoch(), alter.leader_epoch);
            return Err(AlterPartitionRefusal::LeaderEpoch { current, named });
        }
        if partition.partition_epoch() != alter.partition_epoch {
            let (current, named) = (partition.partition_epoch(), alter.partition_epoch);
            return Err(AlterPartitionRefusal::PartitionEpoch { current, named });
        }
        let mut isr = Members::NONE;
        for member in &alter.isr {
            let place = partition.place_of(member.node).ok_or(AlterPartitionRefusal::InSyncSet)?;
            if isr.contains(place) {
                return Err(AlterPartitionRefusal::InSyncSet);
            }
            let eligible = self.brokers.get(&member.node).map(Arc::as_ref);
            if !eligible.is_some_and(|broker| !broker.fenced && broker.epoch == member.epoch) {
                return Err(AlterPartitionRefusal::Ineligible(member.node));
            }
            isr = isr.with(Members::one(place));
        }
        if !partition.leader_place().is_some_and(|leader| isr.contains(leader)) {
            return Err(AlterPartitionRefusal::InSyncSet);
        }
        let recovery_ok = match (partition.recovery(), alter.recovery) {
            (_, RecoveryState::Recovered) => true,
            (RecoveryState::Recovered, RecoveryState::Recovering) => false,
            (RecoveryState::Recovering, RecoveryState::Recovering) => isr == partition.isr,
        };
        if !recovery_ok {
            return Err(AlterPartitionRefusal::Recovery);
        }
        Ok(isr)
    }
}
