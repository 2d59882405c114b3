//! From an [`HttpRequest`] to what ureq sends: headers are checked, secrets filled in.

use codex_proto::{
    HostError, HostErrorKind,
    effect::{HttpRequest, Method},
    settings::{AuthRef, HeaderValue},
};
use ureq::http::{self, HeaderMap, HeaderName, HeaderValue as Value, Request, header};

use crate::{
    proxy::Route,
    secret::{Secret, Secrets},
    target::Target,
};

/// Builds the request. Texts of errors name headers, never their values.
pub(crate) fn build(
    request: HttpRequest,
    target: &Target,
    route: &Route,
    secrets: &Secrets,
) -> Result<Request<Vec<u8>>, HostError> {
    let mut built = Request::new(request.body);
    *built.method_mut() = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    *built.uri_mut() = target.uri.clone();
    let headers = built.headers_mut();
    fill(headers, &request.headers, request.auth.as_ref(), secrets)?;
    if let Route::Forward(via) = route
        && let Some(credentials) = via.authorization()
    {
        let value = secret_value("proxy-authorization", &credentials)?;
        headers.insert(header::PROXY_AUTHORIZATION, value);
    }
    Ok(built)
}

/// Adds these headers and the bearer token.
pub(crate) fn fill(
    into: &mut HeaderMap,
    headers: &[(String, HeaderValue)],
    auth: Option<&AuthRef>,
    secrets: &Secrets,
) -> Result<(), HostError> {
    let token = auth.map(|auth| secrets.auth(auth)).transpose()?;
    for (name, value) in headers {
        let checked = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            HostError::new(HostErrorKind::Other, format!("`{name}` cannot be the name of a header"))
        })?;
        let value = match value {
            HeaderValue::Plain(text) => header_value(name, text)?,
            HeaderValue::Secret(reference) => match secrets.value(reference) {
                Some(secret) => secret_value(name, &secret)?,
                None => continue,
            },
        };
        into.append(checked, value);
    }
    if let Some(token) = token {
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        into.insert(header::AUTHORIZATION, secret_value("authorization", &bearer)?);
    }
    Ok(())
}

fn header_value(name: &str, text: &str) -> Result<Value, HostError> {
    Value::from_bytes(text.as_bytes()).map_err(|_| {
        HostError::new(
            HostErrorKind::Other,
            format!("the value of the header `{name}` has characters that HTTP does not allow"),
        )
    })
}

fn secret_value(name: &str, secret: &Secret) -> Result<Value, HostError> {
    let mut value = header_value(name, secret.expose())?;
    value.set_sensitive(true);
    Ok(value)
}
