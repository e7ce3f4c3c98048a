//! A host of many VMs.

use std::time::Instant;

use hyperv_sim::{DiskSpec, VmSpec};

use crate::fixture::{Fixture, MIB};

/// Prints what a thousand VMs cost; run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn a_thousand_vms() {
    let test = Fixture::new();
    let began = Instant::now();
    let vms: Vec<_> = (0..1000)
        .map(|number| {
            let spec = VmSpec::new(format!("vm{number}")).with_disk(DiskSpec::empty(MIB));
            test.host.add_vm(&spec).unwrap()
        })
        .collect();
    eprintln!("1000 VMs made in {:?}", began.elapsed());
    let began = Instant::now();
    for vm in &vms {
        let snapshot = test.recovery(*vm);
        test.host.convert_checkpoint(snapshot).unwrap();
    }
    eprintln!("1000 reference points made in {:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..1000 {
        test.host.now().unwrap();
    }
    eprintln!("1000 looks in {:?}", began.elapsed());
    let began = Instant::now();
    test.host.settle().unwrap();
    eprintln!("settled in {:?}", began.elapsed());
}
