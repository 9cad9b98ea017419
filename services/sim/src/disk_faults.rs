//! Faults of the simulated disk: which operations fail, and that every operation is part of the trace.

use aquifer_disk::{Fault, FaultPlan, OpKind, SimDisk};

use crate::plan::DeviceError;
use crate::trace::Trace;

/// Watches every operation of `disk`, and fails those that `error` names, counted from now.
pub fn watch(disk: &SimDisk, error: Option<DeviceError>, trace: &Trace) {
    let (start, trace) = (disk.operations(), trace.clone());
    disk.set_faults(Some(FaultPlan::new(move |kind, path, number| {
        trace.mix(&[kind as u8]);
        trace.mix(path.as_os_str().as_encoded_bytes());
        let error = error?;
        let at = number - start;
        let hits = (error.from..error.upto).contains(&at)
            && match kind {
                OpKind::Sync | OpKind::SyncDir => true,
                OpKind::Read | OpKind::Write | OpKind::SetSize | OpKind::Name => !error.syncs_only,
                OpKind::Open => false,
            };
        hits.then_some(Fault::Io)
    })));
}
