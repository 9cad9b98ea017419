//! `Load`: a batch that is built once and sent again and again.

use anyhow::{Result, ensure};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_types::TimestampMs;
use bytes::Bytes;

/// A batch of records of one size.
#[derive(Clone, Debug)]
pub struct Load {
    pub batch: Bytes,
    pub records: i64,
}

impl Load {
    /// A batch of at most `batch_bytes` with as many records as fit, one at least.
    pub fn new(runtime: &Runtime, batch_bytes: usize, record_bytes: usize) -> Result<Load> {
        ensure!(batch_bytes <= 256 << 20 && record_bytes <= batch_bytes, "records must fit their batch");
        let mut value = vec![0; record_bytes];
        runtime.fill_random(&mut value);
        let record = NewRecord { timestamp: runtime.now().wall, value: Some(&value), ..NewRecord::default() };
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.push(&record)?;
        let first = builder.unpacked_bytes();
        loop {
            // A later record's own fields may take a few bytes more than the first one's.
            let next = builder.unpacked_bytes() + record_bytes + (first - record_bytes).min(32);
            if next > batch_bytes {
                break;
            }
            builder.push(&record)?;
        }
        let records = i64::from(builder.count());
        Ok(Load { batch: Bytes::from(builder.build()?), records })
    }
}

/// A batch of one record.
pub fn single(value: &[u8], timestamp: TimestampMs) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    builder.push(&NewRecord { timestamp, value: Some(value), ..NewRecord::default() })?;
    Ok(Bytes::from(builder.build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_filled_up_to_its_size() {
        let runtime = Runtime::real();
        for (batch_bytes, record_bytes) in [(1 << 20, 1024), (16 * 1024, 1024), (16 * 1024, 100)] {
            let load = Load::new(&runtime, batch_bytes, record_bytes).expect("builds");

            let length = load.batch.len();
            assert!(length <= batch_bytes && length > batch_bytes - 2 * record_bytes - 64, "{length}");
            assert!(aquifer_record::BatchView::parse(&load.batch).expect("a batch").checksum_holds());
        }
    }

    #[test]
    fn one_record_is_a_batch_even_where_the_size_is_met_by_it_alone() {
        let load = Load::new(&Runtime::real(), 1024, 1024).expect("builds");

        assert_eq!(load.records, 1);
    }
}
