//! Errors as RFC 9457 `application/problem+json`; nothing in them is taken from the request or from inside the house.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::desk::DeskError;

/// An error as the reader sees it: a status, a short title, one sentence on what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub title: &'static str,
    pub detail: &'static str,
}

impl Problem {
    pub const fn new(status: StatusCode, title: &'static str, detail: &'static str) -> Self {
        Self { status, title, detail }
    }

    pub const NOT_FOUND: Self = Self::new(
        StatusCode::NOT_FOUND,
        "Not found",
        "There is nothing here: it never existed, or it has expired.",
    );
    pub const READ_ONLY: Self = Self::new(
        StatusCode::FORBIDDEN,
        "Read-only",
        "No users are configured, so this page and API only read. On this machine, `vigie ack` and `vigie close` act on an alert, through the daemon's socket.",
    );
    pub const BAD: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "Bad request",
        "The address or its parameters cannot be read; each parameter may stand once.",
    );
    pub const METHOD: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "Only GET and HEAD are answered here.",
    );
    pub const MISDIRECTED: Self = Self::new(
        StatusCode::MISDIRECTED_REQUEST,
        "Misdirected request",
        "This host name is not one that the console answers to; set [server] public_url if it should be.",
    );
    pub const UNAVAILABLE: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Not available",
        "The daemon could not answer in time; ask again. /readyz says what does not work.",
    );
    pub const CROWDED: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many readers",
        "As many live connections are open as the console keeps; close one, or load the page anew.",
    );
    pub const INTERNAL: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal error",
        "Something broke in the daemon; its log says what.",
    );
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Unavailable(what) => {
                tracing::warn!(what, "the console could not be answered");
                Problem::UNAVAILABLE
            }
            DeskError::Bad(_) => Problem::new(
                StatusCode::BAD_REQUEST,
                "Bad request",
                "A parameter names something that cannot be; a cursor must be taken from `next` as it stands.",
            ),
            DeskError::Internal(what) => {
                tracing::error!(what, "the console could not be answered");
                Problem::INTERNAL
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
