//! Files: everything this workspace keeps on, or takes from, a disk.

pub mod config;
