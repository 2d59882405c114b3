//! Root certificates: the system's, plus the files that the user named.

use std::{fs, path::PathBuf};

use codex_proto::{HostError, HostErrorKind};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// A file of PEM certificates to trust beside the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile {
    /// Who named it, for error texts: `SSL_CERT_FILE`, `ca_bundle` …
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What is trusted.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) store: RootCertStore,
    /// Where the certificates come from, for error texts.
    pub(crate) sources: String,
}

/// Reads everything. A file that the user named must be usable; the system's store may be empty
/// when such a file makes up for it.
pub(crate) fn load(files: &[CaFile]) -> Result<Roots, HostError> {
    let mut store = RootCertStore::empty();
    let (from_system, place) = system();
    let (count, _) = store.add_parsable_certificates(from_system);
    let mut sources = format!("the system's store ({place}, {})", certificates(count));
    for file in files {
        let count = add_file(&mut store, file)?;
        sources.push_str(&format!(
            ", {} {} ({})",
            file.source,
            file.path.display(),
            certificates(count)
        ));
    }
    if store.is_empty() {
        return Err(failure(format!(
            "no root certificates found in {sources}; install the system's CA certificates or set \
             SSL_CERT_FILE"
        )));
    }
    Ok(Roots { store, sources })
}

fn certificates(count: usize) -> String {
    format!("{count} certificate{}", if count == 1 { "" } else { "s" })
}

fn add_file(store: &mut RootCertStore, file: &CaFile) -> Result<usize, HostError> {
    let named = format!("{} names {}", file.source, file.path.display());
    let pem = fs::read(&file.path).map_err(|why| {
        failure(format!("{named}, which cannot be read: {why}; correct or unset {}", file.source))
    })?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|why| {
            failure(format!("{named}, which is not valid PEM after {count} certificates: {why}"))
        })?;
        store.add(certificate).map_err(|why| {
            failure(format!("{named}, whose certificate {} cannot be used: {why}", count + 1))
        })?;
        count += 1;
    }
    if count == 0 {
        return Err(failure(format!(
            "{named}, which holds no certificate in PEM form; correct or unset {}",
            file.source
        )));
    }
    Ok(count)
}

/// Bundle files of the distributions in use; the first that exists is the system's store.
#[cfg(not(any(windows, target_os = "macos")))]
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch, Gentoo, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem", // SUSE
    "/etc/ssl/cert.pem",      // Alpine, the BSDs
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// A folder of single certificates, used where no bundle exists.
#[cfg(not(any(windows, target_os = "macos")))]
const FOLDER: &str = "/etc/ssl/certs";

/// The system's certificates and where they are. What cannot be parsed is left out: it is the
/// distribution's, and old entries in it must not stop the rest.
#[cfg(not(any(windows, target_os = "macos")))]
fn system() -> (Vec<CertificateDer<'static>>, String) {
    let parse = |pem: &[u8]| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
    };
    for path in BUNDLES {
        if let Ok(pem) = fs::read(path) {
            return (parse(&pem), (*path).to_owned());
        }
    }
    let files = fs::read_dir(FOLDER).into_iter().flatten().filter_map(Result::ok);
    let found = files.filter_map(|entry| fs::read(entry.path()).ok()).flat_map(|pem| parse(&pem));
    (found.collect(), FOLDER.to_owned())
}

/// The system's certificates as its own interface gives them.
#[cfg(any(windows, target_os = "macos"))]
fn system() -> (Vec<CertificateDer<'static>>, String) {
    let found = rustls_native_certs::load_native_certs();
    (found.certs, "of the operating system".to_owned())
}

pub(crate) fn failure(message: String) -> HostError {
    HostError::new(HostErrorKind::Tls, message)
}
