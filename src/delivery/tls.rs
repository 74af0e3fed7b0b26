//! Whom a sink's connection trusts, and what is wrong with a receiver's certificate, in words that help.

use std::error::Error;

use reqwest::Certificate;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::{DeliveryError, SinkOptions};

/// The bytes of a sink's `ca` file, if it has one.
pub(super) fn read_ca(options: &SinkOptions) -> Result<Option<Vec<u8>>, DeliveryError> {
    let Some(path) = &options.ca else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|error| bad(options, error.to_string()))
}

/// The certificates of a `ca` file; at least one.
pub(super) fn certificates(
    pem: &[u8],
    options: &SinkOptions,
) -> Result<Vec<Certificate>, DeliveryError> {
    let found = Certificate::from_pem_bundle(pem)
        .map_err(|_| bad(options, "expected certificates in PEM form".into()))?;
    match found.is_empty() {
        true => Err(bad(options, "holds no certificate in PEM form".into())),
        false => Ok(found),
    }
}

fn bad(options: &SinkOptions, why: String) -> DeliveryError {
    let path = options.ca.clone().unwrap_or_default();
    DeliveryError::Ca { sink: options.name.clone(), path, why }
}

/// What went wrong in TLS, and how to mend it; none if it was something else.
pub(super) fn trouble(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<TlsError>() {
            return Some(told(error));
        }
        // An I/O error hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn told(error: &TlsError) -> String {
    use CertificateError as C;
    match error {
        TlsError::InvalidCertificate(C::UnknownIssuer) => {
            "the receiver's certificate is signed by no authority that is trusted here; \
             set `ca` to the PEM file of the one that signed it"
                .into()
        }
        TlsError::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "the receiver's certificate has expired; renew it there, or set this machine's clock"
                .into()
        }
        TlsError::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "the receiver's certificate is not valid yet; is this machine's clock right?".into()
        }
        TlsError::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the receiver's certificate is for another name than the one in `url`".into()
        }
        TlsError::InvalidMessage(_) => {
            "the receiver does not speak TLS at this port; is it meant to be http://?".into()
        }
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "the receiver asks for a client certificate, which Vigie does not send".into()
        }
        error => error.to_string(),
    }
}
