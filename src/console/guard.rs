//! What every request passes and every answer carries: the host check against DNS rebinding, the refusal of anything
//! but reading, and the headers that keep a page to itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::Problem;

/// Nothing but this server's own files; no frames, no forms, no base address.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Host names that are always this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The name in a `Host` header without its port; `None` if it cannot be one.
fn host_name(value: &str) -> Option<&str> {
    let (name, port) = if value.starts_with('[') {
        let end = value.find(']')? + 1;
        (&value[..end], &value[end..])
    } else {
        value.split_at(value.find(':').unwrap_or(value.len()))
    };
    let port_is_fine = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    (port_is_fine && !name.is_empty()).then_some(name)
}

fn is_ours(app: &App, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    // Exactly one: with two, a proxy and we could read different ones.
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(name) = host.to_str().ok().and_then(host_name) else { return false };
    // A request line may carry a whole address; it then has to agree.
    let agrees = request.uri().host().is_none_or(|uri| uri.eq_ignore_ascii_case(name));
    let known = LOOPBACK.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || app.settings.hosts.iter().any(|ours| name.eq_ignore_ascii_case(ours));
    agrees && known
}

/// The door: who may ask, and what.
pub(super) async fn door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !is_ours(&app, &request) {
        return seal(Problem::MISDIRECTED.into_response());
    }
    let refused = match *request.method() {
        Method::GET | Method::HEAD => None,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => Some(Problem::READ_ONLY),
        _ => Some(Problem::METHOD),
    };
    if let Some(problem) = refused {
        return seal(problem.into_response());
    }
    seal(next.run(request).await)
}

/// Puts the headers on; one that a handler has set already stands.
pub(super) fn seal(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 9] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // The framework's own refusals are plain text or empty; here every error is a problem.
    let status = response.status();
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if status.is_client_error() && plain {
        return seal(match status {
            StatusCode::METHOD_NOT_ALLOWED => Problem::METHOD.into_response(),
            _ => Problem { status, ..Problem::BAD }.into_response(),
        });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_is_read_without_its_port() {
        assert_eq!(host_name("localhost:8787"), Some("localhost"));
        assert_eq!(host_name("[::1]:8787"), Some("[::1]"));
        assert_eq!(host_name("127.0.0.1"), Some("127.0.0.1"));
        for bad in ["", ":80", "localhost:80@evil", "[::1", "[::1]x", "localhost:999999"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }
}
