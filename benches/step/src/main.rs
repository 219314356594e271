//! Nanoseconds and allocations of an idle `Core::step`: nothing is due, nothing has arrived.
//!
//! `cargo run --release --manifest-path benches/step/Cargo.toml`

use rackwarden_core::core::{Core, Past, Start};
use rackwarden_core::effect::Effects;
use rackwarden_core::event::Event;
use rackwarden_core::sim::Sim;
use rackwarden_core::state::Records;
use rackwarden_core::time::{Mono, Now, Wall};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands every call to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    println!(
        "{:>8} {:>12} {:>18}",
        "PDUs", "ns a step", "allocations a step"
    );
    for pdus in [4, 100, 1_000, 10_000] {
        measure(pdus);
    }
}

fn measure(pdus: usize) {
    const STEPS: u32 = 200_000;
    let names: Vec<String> = (0..pdus).map(|index| format!("p{index:05}")).collect();
    let table: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let now = Now {
        mono: Mono::ZERO,
        wall: Wall(1_795_204_800_000),
    };
    let start = Start {
        config: Arc::new(Sim::config(&table)),
        records: Records::default(),
        now,
        seed: 1,
        holds_lines: false,
        past: Default::default(),
    };
    let mut effects = Effects::new();
    let mut core = Core::new(start, &mut effects);
    // Whatever is due in the first moments happens before the measurement.
    for _ in 0..1_000 {
        core.step(now, Event::Timeout, &mut effects);
    }
    effects.clear();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..STEPS {
            core.step(now, Event::Timeout, &mut effects);
        }
        best = best.min(began.elapsed());
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    assert!(effects.is_empty(), "an idle step has no effects");
    println!(
        "{pdus:>8} {:>12.1} {:>18.3}",
        best.as_nanos() as f64 / f64::from(STEPS),
        allocations as f64 / f64::from(5 * STEPS)
    );
}
