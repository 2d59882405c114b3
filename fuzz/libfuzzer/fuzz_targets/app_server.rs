#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| codex_sim::target::app_server::run(bytes));
