//! Extended attributes: access lists, labels, users' own. Carried over when they are small;
//! what the system does not let us copy is left out.

use std::{ffi::CString, os::fd::AsFd};

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

const NAMES_BYTES_MAX: usize = 4096;
const VALUE_BYTES_MAX: usize = 4096;

/// The extended attributes of one file.
#[derive(Default)]
pub(super) struct Attributes(Vec<(CString, Vec<u8>)>);

impl Attributes {
    pub(super) fn of(file: &impl AsFd) -> Self {
        let mut names = [0_u8; NAMES_BYTES_MAX];
        let Ok(length) = flistxattr(file, &mut names[..]) else { return Self::default() };
        let mut value = [0_u8; VALUE_BYTES_MAX];
        let pairs = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Self(
            pairs
                .filter_map(|name| {
                    let name = CString::new(name).ok()?;
                    let length = fgetxattr(file, &name, &mut value[..]).ok()?;
                    Some((name, value[..length].to_vec()))
                })
                .collect(),
        )
    }

    pub(super) fn put(&self, file: &impl AsFd) {
        for (name, value) in &self.0 {
            let _ = fsetxattr(file, name, value, XattrFlags::empty());
        }
    }
}
