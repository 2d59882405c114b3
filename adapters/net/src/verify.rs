//! Certificate verification by webpki, with a refusal that names the certificate and whom we
//! trust.

use std::{error, fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// Delegates every decision to webpki.
#[derive(Debug)]
pub(crate) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    sources: Arc<str>,
}

impl Verifier {
    pub(crate) fn new(inner: Arc<WebPkiServerVerifier>, sources: String) -> Self {
        Self { inner, sources: sources.into() }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verdict.map_err(|error| {
            let Error::InvalidCertificate(why) = error else {
                return error;
            };
            let names = Names::of(end_entity);
            let rejected = Rejected { why, names, sources: Arc::clone(&self.sources) };
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejected))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A certificate that was not accepted.
#[derive(Debug)]
pub(crate) struct Rejected {
    why: CertificateError,
    names: Option<Names>,
    sources: Arc<str>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names {
            Some(names) => {
                write!(
                    f,
                    "the certificate for `{}`, issued by `{}`, ",
                    names.subject, names.issuer
                )?;
            }
            None => f.write_str("the certificate ")?,
        }
        match &self.why {
            CertificateError::UnknownIssuer => {
                write!(f, "does not lead to a trusted root; trusted are {}", self.sources)
            }
            why => write!(f, "was refused: {why}"),
        }
    }
}

impl error::Error for Rejected {}

/// Whom a certificate is for and from, as people write it.
#[derive(Debug)]
struct Names {
    subject: String,
    issuer: String,
}

impl Names {
    /// Reads both names; `None` when the certificate is not built as X.509 says.
    ///
    /// `Certificate ::= SEQ { tbs SEQ { [0] version?, serial, algorithm, issuer, validity,
    /// subject, … }, … }` (RFC 5280 §4.1).
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, body, _) = element(certificate)?;
        let (_, mut rest, _) = element(body)?;
        if rest.first() == Some(&0xa0) {
            rest = element(rest)?.2;
        }
        rest = element(rest)?.2; // serial number
        rest = element(rest)?.2; // signature algorithm
        let (_, issuer, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?; // validity
        let (_, subject, _) = element(rest)?;
        Some(Self { subject: name(subject), issuer: name(issuer) })
    }
}

/// The common name and the organisation in a `Name`; text that cannot be shown is replaced.
fn name(mut sets: &[u8]) -> String {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANISATION: &[u8] = &[0x55, 4, 10];
    let mut parts = Vec::new();
    while let Some((_, set, rest)) = element(sets) {
        sets = rest;
        let Some((_, pair, _)) = element(set) else { break };
        let Some((_, kind, value)) = element(pair) else { break };
        let Some((_, text, _)) = element(value) else { break };
        let label = match kind {
            COMMON_NAME => "CN",
            ORGANISATION => "O",
            _ => continue,
        };
        let text: String = String::from_utf8_lossy(text)
            .chars()
            .take(100)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        parts.push(format!("{label}={text}"));
    }
    if parts.is_empty() { "(no name)".to_owned() } else { parts.join(", ") }
}

/// Splits the first DER element off: its tag, its content, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_a_certificate() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "a.test\n");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Über Org");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let names = Names::of(certificate.der()).unwrap();
        assert_eq!(names.subject, "CN=a.test\u{fffd}, O=Über Org");
        assert_eq!(names.issuer, names.subject);
    }

    #[test]
    fn broken_certificates_have_no_names_and_do_no_harm() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let der = certificate.der().to_vec();
        for end in 0..der.len().min(150) {
            let _ = Names::of(&CertificateDer::from(der[..end].to_vec()));
        }
        for index in 0..der.len() {
            let mut bent = der.clone();
            bent[index] ^= 0xff;
            let _ = Names::of(&CertificateDer::from(bent));
        }
        assert!(Names::of(&CertificateDer::from(vec![0x30, 0x85, 1, 1, 1, 1, 1])).is_none());
    }
}
