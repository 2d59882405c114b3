//! A host that keeps no rules: no panic, and memory that does not grow with what is said.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use codex_sim::{dice::Dice, lawless};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "counts what the system allocator gives")]
// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Inputs of a run.
const STEPS: usize = 2_000;
/// What a run may hold at its end: conversations of a few hundred short items.
const BYTES_MAX: usize = 16 << 20;

#[test]
fn a_lawless_host_breaks_nothing() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let before = LIVE.load(Ordering::Relaxed);
        let (engine, moves) = lawless::run(&mut Dice::from_seed(seed), STEPS);
        let held = LIVE.load(Ordering::Relaxed).saturating_sub(before);
        assert!(held < BYTES_MAX, "seed {seed}: {held} bytes are held");
        drop(engine);
        seen.extend(moves);
    }
    assert!(seen.len() > 30, "only {} kinds of state changes were reached", seen.len());
}
