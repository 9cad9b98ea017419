//! Whatever stands in a segment is walked without a panic, and the walk ends where it says.

#![no_main]

use aquifer_record::{Records, batches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut walk = batches(bytes);
    let mut seen = 0;
    for view in walk.by_ref() {
        assert_eq!(view.position, seen);
        seen += view.bytes.len();
        let _holds = view.checksum_holds();
        Records::new(&view.header, view.body()).for_each(drop);
    }
    assert_eq!(walk.ended().position, seen);
    assert_eq!(walk.ended().error.is_none(), seen == bytes.len());
});
